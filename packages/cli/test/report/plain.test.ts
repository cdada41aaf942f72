import type { RunEventBody } from "@flow/core";
import { describe, expect, it } from "vitest";
import { plainPaint } from "../../src/report/color.ts";
import type { GitHub } from "../../src/report/github.ts";
import { GitHub as GitHubOutput } from "../../src/report/github.ts";
import type { ReadTail } from "../../src/report/log-tail.ts";
import { tail } from "../../src/report/log-tail.ts";
import { PlainScreen } from "../../src/report/plain.ts";
import { fakeOutput } from "../fake-io.ts";
import { done, ended, failed, ref, script, started, taskStarted } from "./run-events.ts";

interface Options {
  readonly logs?: Readonly<Record<string, string>>;
  readonly verbose?: boolean;
  readonly github?: (readTail: ReadTail, write: (text: string) => void) => GitHub;
}

function stage({ logs = {}, verbose = false, github }: Options = {}) {
  const output = fakeOutput(undefined);
  const event = script();
  let now = 0;
  const readTail: ReadTail = (path, lines) => {
    const bytes = Buffer.from(logs[path] ?? "");
    return tail(bytes, bytes.length, 0, lines);
  };
  const plain = new PlainScreen(
    output,
    {
      paint: plainPaint,
      mask: (text) => text.replaceAll("hunter2", "***"),
      readTail,
      rerun: (task) => ["flow", "run", "-f", "mnist.flow.yaml", task ?? "--failed"],
      displayPath: (path) => path.replace("/project/", ""),
      verbose,
      version: "0.1.0",
      github: github?.(readTail, (text) => void output.write(text)),
    },
    () => now,
  );
  return {
    play: (at: number, body: RunEventBody) => {
      now = at;
      plain.event(event(at, body));
    },
    wait: (at: number) => {
      now = at;
      plain.tick();
    },
    lines: () => output.text.split("\n").slice(0, -1),
    text: () => output.text,
  };
}

describe("plain output", () => {
  it("names a task that somebody else has cancelled, and none of those that the run itself stops", () => {
    const { play, lines } = stage();
    play(0, started({ train: 2 }));
    for (const seed of [0, 1]) play(100, taskStarted(`train@seed=${seed}`));
    play(200, { type: "task/cancelled", ...ref("train@seed=0"), reason: "user" });
    play(300, { type: "run/stopping", how: "graceful", running: 1, graceMs: 1000 });
    play(400, { type: "task/cancelled", ...ref("train@seed=1"), reason: "user" });
    const cancelled = lines().filter((line) => line.includes(" cancel "));
    expect(cancelled).toEqual([expect.stringMatching(/ cancel +\[1\/2\] train@seed=0$/)]);
  });

  it("says each thing once, with its time and how far the run is", () => {
    const { play, wait, lines } = stage();
    play(0, started({ prep: 1, train: 3 }, { slots: 9 }));
    play(100, { type: "task/fresh", ...ref("prep") });
    for (const seed of [0, 1, 2]) play(200 + seed, taskStarted(`train@seed=${seed}`));
    wait(1000);
    play(60_000, { type: "task/metrics", ...ref("train@seed=0"), step: 1, values: { acc: 0.93 } });
    play(61_000, done("train@seed=0", 60_800));
    play(62_000, {
      type: "task/again",
      ...ref("train@seed=1"),
      reason: "retry",
      delayMs: 10_000,
      outcome: { type: "oom", device: "memory", message: "out of memory" },
      retry: { number: 1, max: 2 },
    });
    play(72_000, taskStarted("train@seed=1"));
    play(72_500, {
      type: "task/again",
      ...ref("train@seed=2"),
      reason: "host-lost",
      delayMs: 5000,
      outcome: {
        type: "interrupted",
        cause: "not-begun",
        resumable: true,
        message: "storage cannot be reached",
      },
      retry: undefined,
    });
    play(73_000, { type: "task/unknown", ...ref("train@seed=2"), why: "the host does not answer" });
    play(73_000, { type: "task/unknown", ...ref("train@seed=1"), why: "the host does not answer" });
    play(80_000, { type: "warning", task: "", message: "the disk is nearly full" });
    play(84_000, { type: "task/known", ...ref("train@seed=1"), at: "running" });
    play(90_000, done("train@seed=1", 18_000));
    play(91_000, ended(4, { total: 4, fresh: 1, done: 2, unknown: 1 }));
    expect(lines()).toEqual([
      "flow 0.1.0 run 20261121-100000-k3f9 mnist.flow.yaml: 4 tasks, 9 at once",
      "10:00:00 start   [1/4] 3 × train",
      "10:01:01 done    [2/4] train@seed=0  1m01s  acc 0.930",
      "10:01:02 again   [2/4] train@seed=1  out of memory · retry 1/2 in 10s",
      "10:01:12 start   [2/4] train@seed=1",
      "10:01:12 again   [2/4] train@seed=2  not begun: storage cannot be reached · again (host-lost) in 5s",
      "10:01:13 UNKNOWN [2/4] train@seed=2  the host does not answer",
      "10:01:20 warning [2/4] the disk is nearly full",
      "10:01:30 done    [3/4] train@seed=1  18s",
      "✖ 1 unknown · 2 done, 1 fresh, 2 retried · 1m31s · run 20261121-100000-k3f9",
    ]);
  });

  it("tells attempts that were left or not recorded from tasks that never started", () => {
    for (const [code, words] of [
      [130, "left running"],
      [3, "not recorded"],
    ] as const) {
      const { play, lines } = stage();
      play(0, started({ train: 3 }));
      play(100, taskStarted("train@seed=0"));
      play(200, ended(code, { total: 3 }));
      expect(lines()).toContain(`✖ 1 ${words}, 2 not started · 200ms · run 20261121-100000-k3f9`);
    }
  });

  it("names the log that says something, and none when nothing was said", () => {
    const { play, lines } = stage({ logs: { "/project/o": "boom\n", "/project/e": "" } });
    play(0, started({ told: 1, silent: 1 }));
    play(1, failed("told", { stdout: "/project/o", stderr: "/project/e" }));
    play(2, failed("silent", { stdout: "/project/e", stderr: "/project/e" }));
    expect(lines().slice(1)).toEqual([
      "10:00:00 FAILED  [1/2] told  exit 1 after 2.3s · log o",
      "10:00:00 FAILED  [2/2] silent  exit 1 after 2.3s",
    ]);
  });

  it("gives a sign of life after a minute of silence", () => {
    const { play, wait, lines } = stage();
    play(0, started({ train: 8 }));
    for (let seed = 0; seed < 4; seed += 1) {
      play(100, taskStarted(`train@seed=${seed}`));
      play(1000 + 1000 * seed, done(`train@seed=${seed}`, 10_000));
    }
    play(5000, taskStarted("train@seed=4"));
    wait(5500);
    wait(60_000);
    wait(65_600);
    wait(65_700);
    expect(lines().slice(-2)).toEqual([
      "10:00:05 start   [4/8] train@seed=4",
      "10:01:05 status  4/8 settled, 1 running, about 30s to 30s left",
    ]);
  });

  it("says why with -v", () => {
    const { play, lines } = stage({ verbose: true });
    play(0, started({ a: 1, b: 1, c: 1 }));
    play(10, { type: "task/fresh", ...ref("a") });
    play(20, { type: "task/skipped", ...ref("b"), condition: "params.gpu" });
    play(30, { type: "task/stale", ...ref("c"), reasons: ["param lr: 0.1 → 0.2", "never ran"] });
    expect(lines().slice(1)).toEqual([
      "10:00:00 fresh   [1/3] a",
      "10:00:00 skipped [2/3] b  not params.gpu",
      "10:00:00 why     [2/3] c: param lr: 0.1 → 0.2; never ran",
    ]);
  });

  it("contains no escape sequence and no carriage return, and no secret", () => {
    const { play, text } = stage({
      logs: { "/project/.flow/x/stderr": "\u001b[31m 5%\r10% hunter2\u001b]0;t\u0007\nlast\u0000" },
    });
    play(0, started({ train: 1 }));
    play(1, failed("train", { command: "curl --token hunter2 \u001b[2J" }));
    play(2, { type: "warning", task: "train", message: "said \u001b]52;c;x\u0007 hunter2" });
    play(3, ended(1, { total: 1, failed: 1 }));
    expect(text()).not.toMatch(/[\u001b\r\u0007]|hunter2/);
    expect(text()).toContain("10% ***");
  });

  it("tells equal failures of one template once", () => {
    const logs = Object.fromEntries(
      [0, 1, 2, 3, 4].map((seed) => [`/l/${seed}`, `loading ${seed}\nKeyError: seed ${seed}\n`]),
    );
    const { play, lines } = stage({ logs });
    play(0, started({ train: 5, other: 1 }));
    for (const seed of [0, 1, 2, 3, 4]) {
      play(seed, failed(`train@seed=${seed}`, { stderr: `/l/${seed}`, stdout: undefined }));
    }
    play(9, failed("other", { stderr: undefined, stdout: undefined, command: undefined }));
    play(10, ended(1, { total: 6, failed: 6 }));
    expect(lines().slice(7)).toEqual([
      "✖ 6 failed · 10ms · run 20261121-100000-k3f9",
      "",
      "✖ 5 × train, same error                     2.3s · exit 1",
      "    first    train@seed=0; the others: train@seed=1, train@seed=2, train@seed=3 and 1 more",
      "    ran      python train.py --lr 0.1  (mnist.flow.yaml:31)",
      "    stderr   2 lines",
      "      │ loading 0",
      "      │ KeyError: seed 0",
      "    rerun    flow run -f mnist.flow.yaml train@seed=0",
      "    log      /l/0",
      "",
      "✖ other                                     2.3s · exit 1",
      "    at       mnist.flow.yaml:31",
      "    rerun    flow run -f mnist.flow.yaml other",
      "",
      "next   flow run -f mnist.flow.yaml --failed   runs the 6 tasks that did not finish",
    ]);
  });

  it("says that there was nothing to do", () => {
    const { play, lines } = stage();
    play(0, started({ a: 2 }));
    play(10, { type: "task/fresh", ...ref("a@x=1") });
    play(10, { type: "task/fresh", ...ref("a@x=2") });
    play(12, ended(0, { total: 2, fresh: 2 }));
    expect(lines().slice(1)).toEqual(["✔ nothing to do: 2 tasks fresh · 12ms"]);
  });
});

describe("plain output in a GitHub job", () => {
  it("annotates failures, folds their text and takes no commands from it", () => {
    let markdown = "";
    const { play, lines } = stage({
      logs: { "/project/.flow/x/stderr": "::set-env name=PATH::/evil\n::error::fake\n" },
      github: (readTail, write) =>
        new GitHubOutput({
          readTail,
          write,
          token: "t0ken",
          appendSummary: (text) => {
            markdown += text;
          },
        }),
    });
    play(0, started({ train: 2 }));
    play(1, done("train@a=1", 1));
    play(2, failed("train@a=2,b=50%"));
    play(3, ended(1, { total: 2, done: 1, failed: 1 }));
    const text = lines().slice(3);
    expect(text.slice(0, 3)).toEqual([
      "✖ 1 failed · 1 done · 3ms · run 20261121-100000-k3f9",
      "::group::failures",
      "::stop-commands::t0ken",
    ]);
    const stopped = text.slice(3, text.indexOf("::t0ken::"));
    expect(stopped).toContain("      │ ::error::fake");
    expect(text.slice(-3)).toEqual([
      "::t0ken::",
      "::endgroup::",
      "::error file=mnist.flow.yaml,line=31,title=train@a=2%2Cb=50%25::train@a=2,b=50%25 exit 1: exit 1",
    ]);
    expect(markdown).toBe(`### ✖ 1 failed · 1 done · 3ms · run 20261121-100000-k3f9

| task | size | fresh | done | failed | blocked |
| --- | ---: | ---: | ---: | ---: | ---: |
| train | 2 | 0 | 1 | 1 | 0 |

| failed | how | after |
| --- | --- | --- |
| train@a=2,b=50% | exit 1 | 2.3s |

`);
  });
});
