import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { systemSuite } from "../../../test/rig/system.ts";
import { Attempt, ended, ok, patient, runners, sh, until } from "./runner-rig.ts";

for (const runner of runners) {
  systemSuite(runner.name, `runner ${runner.name}`, () => {
    it("turns a signal into one stop request and lets the program answer", async () => {
      using attempt = new Attempt(runner);
      const child = attempt.start({
        actions: [patient('cat "$FLOW_STOP_FILE"; exit 75'), sh("echo never")],
        signals: { TERM: "preempt", INT: "user" },
      });
      await attempt.said("ready");
      child.kill("SIGTERM");
      child.kill("SIGINT");
      expect(await attempt.end(child)).toMatchObject({
        ...ok,
        code: 75,
        stopped: expect.stringMatching(/^(preempt|user)$/),
        cause: expect.stringMatching(/^signal:(TERM|INT)$/),
      });
      expect(attempt.read("stdout")).toMatch(
        /^ready\n\{"reason":"(preempt|user)","at":\d+,"kill_at":\d+\}\n$/,
      );
    });

    it("finds a stop file by looking for it and gives its reason", async () => {
      using attempt = new Attempt(runner);
      const child = attempt.start({ actions: [patient("exit 75")], stop: { poll_s: 0.05 } });
      await attempt.said("ready");
      writeFileSync(attempt.path("stop"), '{"reason":"pruned"}\n');
      expect(await attempt.end(child)).toMatchObject({
        ...ok,
        code: 75,
        stopped: "pruned",
        cause: "file",
      });
      expect(attempt.read("stop")).toBe('{"reason":"pruned"}\n');
    });

    it("runs every action once while it looks for a stop file", async () => {
      using attempt = new Attempt(runner);
      const look = { poll_s: 0.02 };
      const child = attempt.start({
        actions: [sh("sleep 0.3"), sh("echo 2"), sh("echo 3")],
        stop: look,
      });
      expect(await attempt.end(child)).toMatchObject({ ...ok, action: 3 });
      expect(attempt.read("stdout")).toBe("2\n3\n");
    });

    it("takes the reason of a stop file that is there when a signal comes", async () => {
      using attempt = new Attempt(runner);
      const child = attempt.start({ actions: [patient("exit 75")] });
      await attempt.said("ready");
      writeFileSync(attempt.path("stop"), '{"reason":"user"}\n');
      child.kill("SIGTERM");
      expect(await attempt.end(child)).toMatchObject({ stopped: "user", cause: "signal:TERM" });
    });

    it("asks for the cause although every process of the group is signalled meanwhile", async () => {
      const storm = "kill -USR2 $1; for n in {1..400}; do kill -TERM -$1; done";
      for (let round = 0; round < 5; round++) {
        using attempt = new Attempt(runner);
        const child = attempt.start({
          actions: [patient("exit 75")],
          signals: { USR2: "deadline", TERM: "shutdown" },
          stop: { cause: ["sh", "-c", "sleep 0.1; echo preempt"] },
        });
        await attempt.said("ready");
        spawnSync("bash", ["-c", storm, "storm", String(child.pid)]);
        expect(await attempt.end(child)).toMatchObject({ code: 75, stopped: "preempt" });
      }
    });

    it("asks whoever knows why the signal came", async () => {
      using attempt = new Attempt(runner);
      const child = attempt.start({
        actions: [patient("exit 75")],
        stop: { cause: ["sh", "-c", "echo hung $(($(date +%s) + 30)) and more; echo second"] },
      });
      await attempt.said("ready");
      const before = Math.floor(Date.now() / 1000);
      child.kill("SIGTERM");
      expect(await attempt.end(child)).toMatchObject({ stopped: "hung", cause: "signal:TERM" });
      const request = JSON.parse(attempt.read("stop")) as { kill_at: number };
      expect(request.kill_at).toBeGreaterThanOrEqual(before + 28);
      // A second for each time that is cut to whole seconds.
      expect(request.kill_at).toBeLessThanOrEqual(Math.ceil(Date.now() / 1000) + 31);
    });

    it("stops at the deadline less the grace, and tells the program the deadline", async () => {
      using attempt = new Attempt(runner);
      const deadline = Math.ceil(Date.now() / 1000) + 6;
      const child = attempt.start(
        { actions: [patient('echo "$FLOW_DEADLINE"; exit 75')], stop: { grace_s: 4 } },
        { ...process.env, FLOW_DEADLINE: String(deadline) },
      );
      const result = await attempt.end(child);
      expect(result).toMatchObject({ stopped: "deadline", cause: "timer" });
      expect(attempt.obeyed(75)).toContain(result.code);
      if (result.code === 75) expect(attempt.read("stdout")).toBe(`ready\n${deadline}\n`);
    });

    it("stops an action at its own timeout and the attempt at the common one", async () => {
      using one = new Attempt(runner);
      const actions = [{ ...patient("exit 9"), timeout_s: 0.4 }];
      const stopped = await one.run({ actions });
      expect(stopped).toMatchObject({ stopped: "timeout", cause: "timer" });
      expect(one.obeyed(9)).toContain(stopped.code);
      using all = new Attempt(runner);
      const whole = await all.run({ actions: [patient("exit 9")], timeout_s: 0.4 });
      expect(whole).toMatchObject({ stopped: "timeout", cause: "timer" });
      expect(all.obeyed(9)).toContain(whole.code);
    });

    it("kills the whole tree when the grace is over, whatever left the group", async () => {
      using attempt = new Attempt(runner);
      const child = attempt.start({
        actions: [
          sh(
            "trap : TERM; setsid sleep 300 & (setsid setsid sleep 300 &); echo ready; while :; do sleep 0.1; done",
          ),
        ],
        finally: [sh("echo never")],
        stop: { grace_s: 0.3 },
      });
      await attempt.said("ready");
      await until(() => attempt.alive().length >= 3, "the tree");
      child.kill("SIGTERM");
      expect(await attempt.end(child)).toMatchObject({
        ...ok,
        code: 137,
        signal: 9,
        stopped: "shutdown",
        cause: "signal:TERM+kill",
        leaky: expect.any(Number),
      });
      expect(attempt.alive()).toEqual([]);
      expect(attempt.read("stdout")).toBe("ready\n");
    });

    it("signals the program and not the shell around it, so that its exit code arrives", async () => {
      using attempt = new Attempt(runner);
      const program = "trap 'exit 75' TERM; echo ready; while :; do sleep 0.02; done";
      const around = 'sh -c "$1"; echo not reached';
      const child = attempt.start({
        actions: [{ argv: ["sh", "-e", "-c", around, "sh", program] }, sh("echo never")],
      });
      await attempt.said("ready");
      child.kill("SIGTERM");
      expect(await attempt.end(child)).toMatchObject({ code: 75, signal: 0, stopped: "shutdown" });
      expect(attempt.read("stdout")).toBe("ready\n");
    });

    it("asks also what the shell around a program starts when that has answered", async () => {
      using attempt = new Attempt(runner);
      const each = (answer: string): string =>
        `sh -c "trap 'exit ${answer}' TERM; echo ready; while :; do sleep 0.02; done"`;
      const child = attempt.start({ actions: [sh(`${each("0")}; ${each("75")}; exit 9`)] });
      await attempt.said("ready");
      child.kill("SIGTERM");
      const { code, cause } = await attempt.end(child);
      // The second may not have been able to listen yet.
      expect([75, 128 + 15]).toContain(code);
      expect(cause).toBe("signal:TERM");
    });

    it("passes on the signals it is told to and ignores others", async () => {
      using attempt = new Attempt(runner);
      const child = attempt.start({
        actions: [sh("trap 'echo got; exit 0' USR1; echo ready; while :; do sleep 0.02; done")],
        signals: { USR1: "forward", HUP: "ignore" },
      });
      await attempt.said("ready");
      child.kill("SIGHUP");
      child.kill("SIGUSR1");
      expect(await attempt.end(child)).toMatchObject(ok);
      expect(attempt.read("stdout")).toBe("ready\ngot\n");
    });

    it("asks by the file alone when the stop signal is none", async () => {
      using attempt = new Attempt(runner);
      const child = attempt.start({
        actions: [sh('echo ready; while ! [ -e "$FLOW_STOP_FILE" ]; do sleep 0.02; done; exit 75')],
        stop: { signal: "none" },
      });
      await attempt.said("ready");
      child.kill("SIGTERM");
      expect(await attempt.end(child)).toMatchObject({ code: 75, stopped: "shutdown" });
    });

    it("can send INT, which a shell's background would ignore", async () => {
      using attempt = new Attempt(runner);
      const child = attempt.start({
        actions: [sh("trap 'exit 75' INT; echo ready; while :; do sleep 0.02; done")],
        stop: { signal: "INT" },
      });
      await attempt.said("ready");
      child.kill("SIGTERM");
      expect(await attempt.end(child)).toMatchObject({ code: 75, stopped: "shutdown" });
    });

    it("starts nothing more after a stop that came between two actions", async () => {
      using attempt = new Attempt(runner);
      const child = attempt.start({ actions: [patient("exit 0"), sh("echo never")] });
      await attempt.said("ready");
      child.kill("SIGTERM");
      expect(await attempt.end(child)).toMatchObject({
        code: 143,
        signal: 15,
        action: 1,
        stopped: "shutdown",
      });
      expect(attempt.read("stdout")).toBe("ready\n");
    });

    it("does not ask to be run again when a person stopped it", async () => {
      using attempt = new Attempt(runner);
      const child = attempt.start({
        actions: [patient("exit 75")],
        requeue: { codes: [75], exit: 99 },
      });
      await attempt.said("ready");
      child.kill("SIGINT");
      expect(await ended(child)).toBe(75);
    });

    it("leaves no timer behind", async () => {
      using attempt = new Attempt(runner);
      const child = attempt.start({
        actions: [sh("true")],
        timeout_s: 1000,
        stop: { poll_s: 100 },
      });
      await attempt.end(child);
      expect(sessionOf(child.pid ?? 0)).toEqual([]);
    });

    it("names a stop that was asked for and that the program's end came before", async () => {
      using attempt = new Attempt(runner);
      const child = attempt.start({
        actions: [sh("echo ready; until [ -e go ]; do sleep 0.02; done")],
      });
      await attempt.said("ready");
      writeFileSync(attempt.path("stop"), '{"reason":"pruned"}\n');
      writeFileSync(attempt.path("go"), "");
      expect(await attempt.end(child)).toMatchObject({ ...ok, stopped: "pruned" });
    });

    it("knows that it is stopped also when the signal reaches the program first", async () => {
      using attempt = new Attempt(runner);
      // The runner's signal comes when the program's number is free again, so after the runner knows of its end.
      const late =
        "(while kill -0 $$ 2>/dev/null; do :; done; kill -s TERM $PPID) & kill -s TERM $$";
      const child = attempt.start({ actions: [sh(late), sh("true")] });
      expect(await attempt.end(child)).toMatchObject({
        code: 143,
        signal: 15,
        stopped: "shutdown",
      });
    });

    it("loses neither the end nor the stop when both come at once", async () => {
      const rounds = Array.from({ length: 12 }, async (_, round) => {
        using attempt = new Attempt(runner);
        const child = attempt.start({
          actions: [sh("echo ready; sleep 0.05"), sh("true"), sh("true")],
          stop: { poll_s: 0.02 },
        });
        await attempt.said("ready");
        await new Promise((resolve) => setTimeout(resolve, 30 + 5 * round));
        child.kill("SIGTERM");
        const { code, action } = await attempt.end(child);
        expect([0, 128 + 15, 128 + 9]).toContain(code);
        // No success without all actions.
        if (code === 0) expect(action).toBe(3);
      });
      await Promise.all(rounds);
    });
  });
}

/** Live processes of the session that `pid` leads. */
function sessionOf(pid: number): readonly string[] {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const [state, , , session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return state !== "Z" && session === String(pid);
    } catch {
      return false;
    }
  });
}
