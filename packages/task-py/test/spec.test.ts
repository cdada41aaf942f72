import { describe, expect, it } from "vitest";
import {
  factsOf,
  jsonSpec,
  parseExit,
  parseStarted,
  parseStopSignal,
  shellSpec,
} from "../src/index.ts";

describe("the specification for a shell", () => {
  it("says everything in single quotes, functions and whole milliseconds", () => {
    const text = shellSpec({
      version: 1,
      key: "it's",
      env: { A: "$HOME", "b.c": "odd", GONE: null },
      stop: { grace_s: 1.0001, cause: ["why", "now"] },
      signals: { USR2: "deadline" },
      requeue: { codes: [75, 85], exit: 99 },
      tmp_dir: "tmp",
      actions: [{ argv: ["echo", "a\nb"], ok_exit: [0, 3], timeout_s: 2 }],
    });
    expect(text).toBe(`flow_version=1
flow_key='it'\\''s'
flow_tmp_dir='tmp'
flow_grace_ms='1001'
flow_actions='1'
flow_signal_USR2='deadline'
flow_requeue_codes='75 85'
flow_requeue_exit='99'
flow_has_cause=1
flow_cause() {
'why' 'now'
}
flow_make_dirs() {
mkdir -p -- 'tmp'
}
flow_env() {
export A='$HOME'
unset GONE
}
flow_cwd_1=''
flow_stdin_1=''
flow_timeout_ms_1='2000'
flow_ok_1='0 3'
flow_env_1() {
:
}
flow_exec_1() {
exec "$@" 'env' 'b.c=odd' 'echo' 'a
b'
}
`);
  });

  it("refuses what no process can be given", () => {
    expect(() => shellSpec({ version: 1, key: "k", actions: [{ argv: ["a\0"] }] })).toThrow(
      "a NUL character cannot be passed to a process",
    );
  });

  it("is one line of JSON for Python", () => {
    expect(jsonSpec({ version: 1, key: "k", actions: [] })).toBe(
      '{"version":1,"key":"k","actions":[]}\n',
    );
  });
});

describe("the signal of a stop", () => {
  it.each([
    ["SIGTERM", "TERM"],
    ["USR2", "USR2"],
    ["none", "none"],
  ])("may be %s", (name, signal) => {
    expect(parseStopSignal(name)).toBe(signal);
  });

  it.each(["SIGCONT", "SIGKILL", "", "sigterm", "15"])("cannot be `%s`", (name) => {
    expect(parseStopSignal(name)).toBeUndefined();
  });
});

describe("the result of an attempt", () => {
  const line =
    "code=137 signal=9 stopped=preempt cause=timer+kill action=2 leaky=1 error=- uptime=98770.91 wall=5.48 user=4.90 sys=0.20 rss=81234 later=x\n";

  it("is read word by word, and a dash is absence", () => {
    expect(parseExit(line)).toEqual({
      code: 137,
      signal: 9,
      stopped: "preempt",
      cause: "timer+kill",
      action: 2,
      leaky: 1,
      uptimeSeconds: 98770.91,
      wallSeconds: 5.48,
      userSeconds: 4.9,
      systemSeconds: 0.2,
      maxRssKib: 81234,
    });
    expect(parseExit("code=0\n")).toEqual({ code: 0, signal: 0, action: 0, leaky: 0 });
  });

  it("does not count before its newline, wherever it was torn", () => {
    for (let end = 0; end < line.length; end++) {
      expect(parseExit(line.slice(0, end))).toBeUndefined();
    }
  });

  it("does not count when it is something else", () => {
    for (const text of ["\n", "hello\n", "code=\n", "code=-\n", "code=x\n", "\0\0\0\n"]) {
      expect(parseExit(text)).toBeUndefined();
    }
  });
});

describe("the facts of a result", () => {
  it("are in milliseconds and bytes, with the signal's name and the action's index", () => {
    const record = { code: 137, signal: 9, stopped: "preempt", action: 2, leaky: 1 };
    const used = { wallSeconds: 5.5, userSeconds: 4.75, systemSeconds: 0.25, maxRssKib: 3 };
    expect(factsOf({ ...record, ...used })).toStrictEqual({
      code: 137,
      signal: "SIGKILL",
      action: 1,
      stopped: "preempt",
      durationMs: 5500,
      usage: { cpuSeconds: 5, peakMemoryBytes: 3072, gpuPeakMemoryBytes: undefined },
      detail: undefined,
    });
  });

  it("leave out what the node could not tell", () => {
    expect(factsOf({ code: 0, signal: 0, action: 3, leaky: 0 })).toStrictEqual({
      code: 0,
      signal: undefined,
      action: undefined,
      stopped: undefined,
      durationMs: undefined,
      usage: undefined,
      detail: undefined,
    });
  });

  it("take a task's own time limit for a deadline", () => {
    const facts = factsOf({ code: 143, signal: 15, stopped: "timeout", action: 1, leaky: 0 });
    expect(facts.stopped).toBe("deadline");
  });

  it.each([
    ["cwd", "The working directory is missing or closed on the node."],
    ["new", "The node could not start a process or write a file."],
  ])("say what the error `%s` means", (error, detail) => {
    expect(factsOf({ code: 126, signal: 0, action: 0, leaky: 0, error }).detail).toBe(detail);
  });
});

describe("the claim of an attempt", () => {
  it("names a process for ever", () => {
    expect(
      parseStarted("pid=42 start=1234567 boot=6f1c-0 host=node12 uptime=98765.43 runner=sh\n"),
    ).toEqual({
      pid: 42,
      startTicks: 1234567,
      boot: "6f1c-0",
      host: "node12",
      uptimeSeconds: 98765.43,
    });
  });

  it("is nobody's when it was fenced or torn", () => {
    expect(parseStarted("fenced\n")).toBeUndefined();
    expect(parseStarted("pid=42 start=12")).toBeUndefined();
  });
});
