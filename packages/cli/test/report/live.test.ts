import type { RunEventBody } from "@flow/core";
import { describe, expect, it } from "vitest";
import { plainPaint } from "../../src/report/color.ts";
import { LiveScreen } from "../../src/report/live.ts";
import type { ReadTail } from "../../src/report/log-tail.ts";
import { tail } from "../../src/report/log-tail.ts";
import { type TerminalProgress, terminalProgress } from "../../src/report/terminal-progress.ts";
import { fakeOutput } from "../fake-io.ts";
import { done, ended, failed, ref, script, started, taskStarted } from "./run-events.ts";
import { type Terminal, terminal } from "./terminal.ts";

interface Stage {
  /** Tells the run the event and draws a frame. */
  play(at: number, body: RunEventBody): void;
  /** Lets time pass to `at` and draws a frame. */
  wait(at: number): void;
  resize(columns: number, rows: number): Promise<void>;
  close(): void;
  /** What the terminal shows now. */
  look(): Promise<Terminal>;
  readonly written: string;
}

function stage(
  columns: number,
  rows: number,
  logs: Readonly<Record<string, string>> = {},
  progress?: TerminalProgress,
): Stage {
  const output = fakeOutput([columns, rows]);
  const screen = terminal(columns, rows);
  const event = script();
  let now = 0;
  let shown = 0;
  const readTail: ReadTail = (path, lines) => {
    const text = logs[path];
    const bytes = Buffer.from(text ?? "");
    return text === undefined ? undefined : tail(bytes, bytes.length, 0, lines);
  };
  const live = new LiveScreen(
    output,
    {
      paint: plainPaint,
      mask: (text) => text,
      readTail,
      rerun: (task) => ["flow", "run", task ?? "--failed"],
      displayPath: (path) => path.replace("/project/", ""),
      verbose: false,
      version: "0.1.0",
      lagMs: () => 0,
      progress,
    },
    () => now,
  );
  const flush = async (): Promise<void> => {
    const text = output.text.slice(shown);
    shown += text.length;
    await screen.write(text);
  };
  return {
    play: (at, body) => {
      now = at;
      live.event(event(at, body));
      live.tick();
    },
    wait: (at) => {
      now = at;
      live.tick();
    },
    resize: async (newColumns, newRows) => {
      await flush();
      screen.resize(newColumns, newRows);
      output.resize(newColumns, newRows);
    },
    close: () => live.close(),
    look: async () => {
      await flush();
      return screen;
    },
    get written() {
      return output.text;
    },
  };
}

function smallRun({ play }: Stage): void {
  play(0, started({ prep: 1, train: 4, table: 1 }, { slots: 2 }));
  play(10, taskStarted("prep"));
  play(6110, done("prep", 6100));
  play(6120, taskStarted("train@lr=0.1,seed=0", "/project/a"));
  play(6130, taskStarted("train@lr=0.1,seed=1", "/project/b"));
}

describe("the live screen", () => {
  it("shows what happened above and what runs below", async () => {
    const scene = stage(80, 24, { "/project/a/stdout": "epoch 1\repoch 2\rloss 0.3 epoch 3\n" });
    smallRun(scene);
    scene.play(8000, {
      type: "task/progress",
      ...ref("train@lr=0.1,seed=1"),
      done: 8,
      total: 20,
      unit: "epochs",
      message: undefined,
    });
    scene.play(9000, {
      type: "task/metrics",
      ...ref("train@lr=0.1,seed=1"),
      step: 8,
      values: { loss: 0.21932, acc: 0.931 },
    });
    scene.wait(17_000);
    expect((await scene.look()).screen()).toEqual([
      "flow 0.1.0 run 20261121-100000-k3f9 mnist.flow.yaml: 6 tasks, 2 at once",
      "✔ prep  6.1s",
      "  16% ━━━━━━━─────────────────────────────────  1/6   17s",
      " prep ✔1   train ▶2 ·2   table ·1",
      " ▶ train@lr=0.1,seed=0     10s  loss 0.3 epoch 3",
      " ▶ train@lr=0.1,seed=1     10s  8/20 epochs loss 0.219 acc 0.931",
    ]);
  });

  it("prints every permanent line exactly once, however often the footer is drawn", async () => {
    const scene = stage(80, 12);
    smallRun(scene);
    for (let at = 7000; at < 30_000; at += 500) scene.wait(at);
    for (let seed = 0; seed < 40; seed += 1) {
      scene.play(30_000 + seed * 100, taskStarted(`x@seed=${seed}`));
      scene.play(30_050 + seed * 100, done(`x@seed=${seed}`, 50));
    }
    const history = (await scene.look()).history();
    for (let seed = 0; seed < 40; seed += 1) {
      expect(history.filter((line) => line.startsWith(`✔ x@seed=${seed} `))).toHaveLength(1);
    }
    expect(history.filter((line) => line.includes("━"))).toHaveLength(1);
  });

  it.each([
    [80, 24, 8],
    [200, 60, 10],
    [70, 12, 4],
    [40, 24, 1],
    [80, 6, 1],
  ])(
    "keeps the footer of a %i × %i screen within %i lines, none wrapped",
    async (columns, rows, most) => {
      const scene = stage(columns, rows);
      const wide = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`template${i}`, 3]));
      scene.play(0, started({ ...wide, train: 100 }));
      for (let seed = 0; seed < 50; seed += 1) {
        scene.play(seed, taskStarted(`train@optimizer=adam,dataset=漢字漢字漢字,seed=${seed}`));
      }
      scene.wait(5000);
      const history = (await scene.look()).history();
      const lines = history.slice(
        history.findIndex((line) => line.includes("at once") || line.startsWith("flow")) + 1,
      );
      expect(lines.length).toBeLessThanOrEqual(most);
      expect(lines.length).toBeGreaterThan(0);
    },
  );

  it("leaves nothing behind of a footer that a narrower terminal has wrapped", async () => {
    const scene = stage(100, 24);
    smallRun(scene);
    await scene.resize(62, 24);
    scene.wait(20_000);
    const [, ...footer] = (await scene.look()).history();
    expect(footer).toEqual([
      "✔ prep  6.1s",
      "  16% ━━━━━━━─────────────────────────────────  1/6   20s",
      " prep ✔1   train ▶2 ·2   table ·1",
      " ▶ train@lr=0.1,seed=0     13s",
      " ▶ train@lr=0.1,seed=1     13s",
    ]);
  });

  it("counts down to the kill when a stop was asked for", async () => {
    const scene = stage(100, 24);
    smallRun(scene);
    scene.play(10_000, { type: "run/stopping", how: "graceful", running: 2, graceMs: 30_000 });
    scene.wait(12_000);
    const screen = (await scene.look()).screen();
    expect(screen[2]).toBe(
      "◼ stopping: 2 tasks may take up to 30s; Ctrl-C again kills, a third time leaves them running",
    );
    expect(screen[3]).toContain("2 stopping, killed in 28s");
  });

  it("ends with the verdict and the failures instead of the footer", async () => {
    const scene = stage(100, 40, {
      "/project/.flow/x/stderr": 'Traceback:\n  File "train.py", line 118\nValueError: bad\n',
    });
    smallRun(scene);
    scene.play(9000, done("train@lr=0.1,seed=0", 2880));
    scene.play(9500, failed("train@lr=0.1,seed=1", { blocks: ["table"] }));
    scene.play(9600, { type: "task/blocked", ...ref("table"), by: "train@lr=0.1,seed=1" });
    scene.play(9700, ended(1, { total: 6, done: 2, failed: 1, blocked: 1 }));
    scene.wait(20_000);
    scene.close();
    expect((await scene.look()).screen()).toEqual([
      "flow 0.1.0 run 20261121-100000-k3f9 mnist.flow.yaml: 6 tasks, 2 at once",
      "✔ prep  6.1s",
      "✔ train@lr=0.1,seed=0  2.9s",
      "✖ train@lr=0.1,seed=1  exit 1 after 2.3s · blocks 1 · log .flow/x/stderr",
      "✖ 1 failed, 1 blocked, 2 not started · 2 done · 9.7s · run 20261121-100000-k3f9",
      "",
      "✖ train@lr=0.1,seed=1                       2.3s · exit 1",
      "    ran      python train.py --lr 0.1  (mnist.flow.yaml:31)",
      "    stderr   3 lines",
      "      │ Traceback:",
      '      │   File "train.py", line 118',
      "      │ ValueError: bad",
      "    blocks   table",
      "    rerun    flow run train@lr=0.1,seed=1",
      "    log      .flow/x/stderr",
      "",
      "next   flow run --failed   runs the 4 tasks that did not finish",
    ]);
  });

  it("draws at most when something changed, or once a second", () => {
    const scene = stage(80, 24);
    smallRun(scene);
    const before = scene.written.length;
    scene.wait(6500);
    scene.wait(7000);
    expect(scene.written.length).toBe(before);
    scene.wait(7200);
    expect(scene.written.length).toBeGreaterThan(before);
  });

  it("says what keeps a task that is ready from starting", async () => {
    const scene = stage(80, 24);
    scene.play(0, started({ a: 2 }));
    scene.play(100, taskStarted("a@n=1"));
    const why = "memory: 12 GB of 16 GB needed, 6 GB free, held by a@n=1";
    scene.play(200, { type: "task/waiting", ...ref("a@n=2"), why });
    expect((await scene.look()).screen().at(-1)).toBe(` · a@n=2 waits for ${why}`);
    scene.play(300, taskStarted("a@n=2"));
    expect((await scene.look()).screen().join("\n")).not.toContain("waits for");
  });

  it("sets no mode of the terminal", () => {
    const scene = stage(80, 24);
    smallRun(scene);
    scene.close();
    // Cursor up, erase to the end of the line, erase below: nothing that outlives flow.
    expect(scene.written.replaceAll(/\u001b\[(?:\d+A|K|J)/g, "")).not.toContain("\u001b");
  });
});

describe("progress in the terminal's tab", () => {
  const ghostty = { TERM_PROGRAM: "ghostty" };

  it("is told to a terminal that understands it, and taken away at the end", () => {
    const scene = stage(80, 24, {}, terminalProgress(ghostty));
    scene.play(0, started({ a: 4 }));
    scene.play(100, done("a@n=1", 1));
    scene.play(200, failed("a@n=2"));
    scene.play(300, ended(1, { total: 4, done: 1, failed: 1 }));
    scene.close();
    const sent = [...scene.written.matchAll(/\u001b\]9;4;([\d;]+)\u001b\\/g)].map(
      ([, said]) => said,
    );
    expect(sent).toEqual(["1;0", "1;25", "2;50", "0;"]);
  });

  it("is kept from terminals that are not known to, and from multiplexers", () => {
    expect(terminalProgress({ TERM_PROGRAM: "Apple_Terminal" })).toBeUndefined();
    expect(terminalProgress({ TERM_PROGRAM: "iTerm.app" })).toBeUndefined();
    expect(terminalProgress({ ...ghostty, TMUX: "/tmp/tmux-0/default,1,0" })).toBeUndefined();
    expect(terminalProgress({ WT_SESSION: "x" })).toBeDefined();
    expect(terminalProgress({ TERM_PROGRAM: "iTerm.app", TERM_FEATURES: "T3P" })).toBeDefined();
  });
});
