import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { systemSuite } from "../../../test/rig/system.ts";
import { parseStarted } from "../src/index.ts";
import { Attempt, ended, ok, patient, runners, sh } from "./runner-rig.ts";

for (const runner of runners) {
  systemSuite(runner.name, `runner ${runner.name}`, () => {
    it("runs the actions in order and appends their output to the files", async () => {
      using attempt = new Attempt(runner);
      const result = await attempt.run({ actions: [sh("echo a; echo x >&2"), sh("echo b")] });
      expect(result).toMatchObject({ ...ok, action: 2 });
      expect(attempt.read("stdout")).toBe("a\nb\n");
      expect(attempt.read("stderr")).toBe("x\n");
      expect(attempt.read("exit")).toMatch(
        /^code=0 signal=0 stopped=- cause=- action=2 leaky=0 error=- uptime=\d+\.\d\d wall=\d+\.\d\d user=\d+\.\d\d sys=\d+\.\d\d rss=(\d+|-)\n$/,
      );
      expect(attempt.files()).toEqual(["exit", runner.spec, "started", "stderr", "stdout"].sort());
    });

    it("passes arguments, environment and directory byte for byte", async () => {
      using attempt = new Attempt(runner);
      const nasty = ["", "-n", "a b", "it's", '"$HOME" `x` $(x) \\', "ä\n☃", "*", "%s\\n"];
      const cwd = attempt.path("it's a dir");
      mkdirSync(cwd);
      await attempt.run(
        {
          cwd,
          env: { NASTY: nasty.join("|"), GONE: null },
          actions: [
            { argv: ["printf", "<%s>", ...nasty] },
            {
              argv: ["sh", "-c", 'printf "[%s]" "$NASTY" "$EXTRA" "${GONE-unset}" "$PWD"'],
              env: { EXTRA: "e" },
            },
          ],
        },
        { ...process.env, GONE: "here" },
      );
      expect(attempt.read("stderr")).toBe("");
      expect(attempt.read("stdout")).toBe(
        `${nasty.map((word) => `<${word}>`).join("")}[${nasty.join("|")}][e][unset][${cwd}]`,
      );
    });

    it("gives the program the environment it was given, the contract's variables and nothing else", async () => {
      using attempt = new Attempt(runner);
      mkdirSync(attempt.path("ckpt"));
      await attempt.run(
        {
          env: { FLOW_CHECKPOINT_DIR: attempt.path("ckpt") },
          actions: [{ argv: ["env"], env: { "odd.name": "x y" } }],
          tmp_dir: "tmp",
          stop: { grace_s: 2.5 },
          deadline: 4102444800,
        },
        { PATH: process.env["PATH"], HOME: "/nowhere" },
      );
      const seen = attempt
        .read("stdout")
        .split("\n")
        .filter((line) => line !== "" && !/^(_|PWD|OLDPWD|SHLVL)=/.test(line));
      expect(seen.sort()).toEqual([
        `FLOW_ATTEMPT_DIR=${attempt.dir}`,
        `FLOW_ATTEMPT_KEY=${attempt.key}`,
        `FLOW_CHECKPOINT_DIR=${attempt.path("ckpt")}`,
        "FLOW_DEADLINE=4102444800",
        `FLOW_EVENTS=${attempt.path("events.0.jsonl")}`,
        "FLOW_EXIT_REQUEUE=75",
        "FLOW_GRACE=3",
        "FLOW_RESUME=0",
        `FLOW_STOP_FILE=${attempt.path("stop")}`,
        `FLOW_TASK_DIR=${attempt.dir}`,
        `FLOW_TMP_DIR=${attempt.path("tmp")}`,
        "HOME=/nowhere",
        `PATH=${process.env["PATH"]}`,
        `TMPDIR=${attempt.path("tmp")}`,
        "odd.name=x y",
      ]);
      expect(existsSync(attempt.path("tmp"))).toBe(false);
    });

    it("says that a program resumes when its checkpoint directory is not empty", async () => {
      using attempt = new Attempt(runner);
      mkdirSync(attempt.path("ckpt"));
      writeFileSync(attempt.path("ckpt/.hidden"), "");
      await attempt.run({
        env: { FLOW_CHECKPOINT_DIR: attempt.path("ckpt") },
        actions: [sh('echo "$FLOW_RESUME"')],
      });
      expect(attempt.read("stdout")).toBe("1\n");
    });

    it("reads standard input from nothing or from a file, and sets the file mask", async () => {
      using attempt = new Attempt(runner);
      writeFileSync(attempt.path("in"), "given\n");
      await attempt.run({
        umask: "0027",
        make_dirs: [attempt.path("made/deep")],
        actions: [
          { argv: ["cat"] },
          { argv: ["cat"], stdin: attempt.path("in") },
          sh("umask; ls made"),
        ],
      });
      expect(attempt.read("stdout")).toBe("given\n0027\ndeep\n");
    });

    it("stops at the first action that fails and says which", async () => {
      using attempt = new Attempt(runner);
      const actions = [{ ...sh("exit 3"), ok_exit: [0, 3] }, sh("exit 75"), sh("echo never")];
      const child = attempt.start({ actions, finally: [sh("echo after; exit 1")] });
      expect(await ended(child)).toBe(75);
      expect(await attempt.end(child)).toMatchObject({ ...ok, code: 75, action: 2 });
      expect(attempt.read("stdout")).toBe("after\n");
    });

    it("reports a program that died of a signal by that signal", async () => {
      using attempt = new Attempt(runner);
      const result = await attempt.run({ actions: [sh("kill -KILL $$")] });
      expect(result).toMatchObject({ ...ok, code: 137, signal: 9 });
    });

    it("reports a program that cannot be started", async () => {
      using missing = new Attempt(runner);
      expect(await missing.run({ actions: [{ argv: ["no-such-program"] }] })).toMatchObject({
        code: 127,
      });
      expect(missing.read("stderr")).toMatch(/no-such-program/);
      using closed = new Attempt(runner);
      writeFileSync(closed.path("plain"), "");
      chmodSync(closed.path("plain"), 0o600);
      expect(await closed.run({ actions: [{ argv: [closed.path("plain")] }] })).toMatchObject({
        code: 126,
      });
    });

    it("tells what of the specification could not be had", async () => {
      using directory = new Attempt(runner);
      expect(await directory.run({ cwd: "/no/such", actions: [sh("echo never")] })).toMatchObject({
        code: 125,
        error: "cwd",
        action: 1,
      });
      expect(directory.read("stderr")).toBe(
        "flow: the working directory /no/such is missing or closed\n",
      );
      using input = new Attempt(runner);
      expect(await input.run({ actions: [{ argv: ["cat"], stdin: "/no/such" }] })).toMatchObject({
        code: 125,
        error: "stdin",
      });
      using dirs = new Attempt(runner);
      expect(
        await dirs.run({ make_dirs: ["/dev/null/x"], actions: [sh("echo never")] }),
      ).toMatchObject({
        code: 125,
        error: "dirs",
        action: 0,
      });
      using torn = new Attempt(runner);
      writeFileSync(torn.path(runner.spec), "{");
      expect(await torn.end(torn.startAgain())).toMatchObject({ code: 125, error: "spec" });
    });

    it("runs nothing and writes nothing when somebody else holds the claim", async () => {
      using attempt = new Attempt(runner);
      writeFileSync(attempt.path("started"), "fenced\n");
      const child = attempt.start({ actions: [sh("echo never")] });
      expect(await ended(child)).toBe(97);
      expect(attempt.files()).toEqual([runner.spec, "started"].sort());
      expect(attempt.read("started")).toBe("fenced\n");
    });

    it("lets exactly one of several runners of an attempt run", async () => {
      using attempt = new Attempt(runner);
      const actions = [sh("echo one; sleep 0.3")];
      const children = [attempt.start({ actions }), ...[1, 2, 3].map(() => attempt.startAgain())];
      const codes = await Promise.all(children.map(ended));
      expect([...codes].sort((a, b) => Number(a) - Number(b))).toEqual([0, 97, 97, 97]);
      expect(attempt.read("stdout")).toBe("one\n");
    });

    it("identifies itself in the claim while it runs", async () => {
      using attempt = new Attempt(runner);
      const child = attempt.start({ actions: [patient("exit 0")] });
      await attempt.said("ready");
      const claim = parseStarted(attempt.read("started"));
      const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8");
      expect(claim).toEqual({
        pid: child.pid,
        startTicks: Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]),
        boot: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
        host: readFileSync("/proc/sys/kernel/hostname", "utf8").trim(),
        uptimeSeconds: expect.any(Number),
      });
      expect(attempt.read("exit")).toBe("");
    });

    it("kills and counts what a program leaves behind when it ends well", async () => {
      using attempt = new Attempt(runner);
      const result = await attempt.run({ actions: [sh("sleep 300 & sleep 300 &")] });
      expect(result).toMatchObject({ ...ok, leaky: 2 });
      expect(attempt.alive()).toEqual([]);
    });

    it("leaves alone what runs elsewhere under the same key, as an equal task of another project does", async () => {
      using attempt = new Attempt(runner);
      using other = new Attempt(runner);
      const key = "00000000deadbeef-1";
      const child = other.start({ key, actions: [patient("exit 0")] });
      await other.said("ready");
      const result = await attempt.run({ key, actions: [sh("sleep 300 & sleep 1.1")] });
      expect(result).toMatchObject({ ...ok, leaky: 1 });
      process.kill(child.pid ?? 0, "SIGTERM");
      expect(await other.end(child)).toMatchObject({ code: 0, signal: 0 });
    });

    it("speaks the scheduler's protocol for run me again after the result is written", async () => {
      using attempt = new Attempt(runner);
      const requeue = { codes: [75, 85], exit: 99, argv: ["sh", "-c", "cp exit seen"] };
      const child = attempt.start({ actions: [sh("exit 75")], requeue });
      expect(await ended(child)).toBe(99);
      expect(attempt.read("seen")).toBe(attempt.read("exit"));
      using other = new Attempt(runner);
      expect(await ended(other.start({ actions: [sh("exit 1")], requeue }))).toBe(1);
    });

    it("records processor time and, when it looks, memory", async () => {
      using attempt = new Attempt(runner);
      const burn = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
      // It lives on for its grace: the runner looks at it at least when it has asked it to stop.
      const stay = "trap : TERM; echo ready; while :; do sleep 0.02; done";
      const from = performance.now();
      const child = attempt.start({
        actions: [sh(`${burn}; ${stay}`)],
        stop: { poll_s: 0.05, grace_s: 0.3 },
      });
      await attempt.said("ready");
      writeFileSync(attempt.path("stop"), '{"reason":"pruned"}\n');
      const result = await attempt.end(child);
      expect(result).toMatchObject({ code: 137, stopped: "pruned" });
      expect(result.userSeconds).toBeGreaterThan(0.02);
      expect(result.wallSeconds).toBeGreaterThanOrEqual(0.3);
      // The kernel's clock that some runners read has hundredths.
      expect(result.wallSeconds).toBeLessThan((performance.now() - from) / 1000 + 0.02);
      expect(result.systemSeconds).toEqual(expect.any(Number));
      expect(result.maxRssKib).toBeGreaterThan(300);
    });
  });
}
