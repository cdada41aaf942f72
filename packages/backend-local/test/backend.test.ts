/** What the local backend promises beyond the conformance suite, with real processes. */

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Clock, nodeClock } from "@flow/core";
import { describe, expect, it } from "vitest";
import { systemTable } from "../src/process/table.ts";
import { Rig, until, WAYS } from "./rig.ts";

/** Empty when there is no such file: output is only kept where there is any. */
const text = (...parts: string[]): string =>
  existsSync(join(...parts)) ? readFileSync(join(...parts), "utf8") : "";

const childrenOf = (pid: number): readonly number[] =>
  systemTable()
    .list()
    .filter((info) => info.parent === pid && !info.zombie)
    .map((info) => info.pid);

describe.each(WAYS)("an attempt %s", (_way, sharesShells) => {
  it("gets the umask of flow, and its logs are its owner's alone", async () => {
    await using rig = await Rig.make({ sharesShells });
    const job = rig.job(["umask; : >made; ls >/dev/null"]);
    expect((await rig.run(job)).code).toBe(0);
    expect(Number.parseInt(text(job.paths.attempt, "stdout"), 8)).toBe(process.umask());
    expect(statSync(join(rig.root, "made")).mode & 0o777).toBe(0o666 & ~process.umask());
    for (const name of ["stdout", "stderr", "started", "exit"])
      expect(statSync(join(job.paths.attempt, name)).mode & 0o777, name).toBe(0o600);
  });

  it("runs in folders with every odd character in their names", async () => {
    const root = "-a b\n'c' \"d\" $HOME `e` \\ \u00e9 *";
    await using rig = await Rig.make({ sharesShells, root });
    const job = rig.job(["pwd; cat", ["cat", "--", "-in put"]], {});
    writeFileSync(join(rig.root, "-in put"), "from a file\n");
    const [first, second] = job.actions;
    if (first === undefined || second === undefined) throw new Error("two actions");
    const input = { ...first, stdin: join(rig.root, "-in put") };
    const handle = await rig.submit({ ...job, actions: [input, second] });
    expect((await rig.ended(job, handle)).code).toBe(0);
    expect(text(job.paths.attempt, "stdout")).toBe(`${rig.root}\nfrom a file\nfrom a file\n`);
    expect(text(job.paths.attempt, "stderr")).toBe("");
  });

  it("has default signal dispositions and no descriptor that others have not", async () => {
    await using rig = await Rig.make({ sharesShells });
    const job = rig.job(["cat /proc/self/status; ls /proc/self/fd", ["cat", "/proc/self/status"]]);
    expect((await rig.run(job)).code).toBe(0);
    const lines = text(job.paths.attempt, "stdout").trim().split("\n");
    const masks = lines.filter((line) => /^Sig(Blk|Ign|Cgt):/.test(line));
    expect(masks).toHaveLength(6);
    for (const mask of masks) expect(mask).toMatch(/^Sig\w+:\t0+$/);
    const plain = execFileSync("ls", ["/proc/self/fd"], { encoding: "utf8" });
    expect(lines.filter((line) => /^\d+$/.test(line))).toEqual(plain.trim().split("\n"));
  });

  it("carries its key in the environment of its programs, and knows its job", async () => {
    await using rig = await Rig.make({ sharesShells });
    const job = rig.job(['echo "$FLOW_ATTEMPT_KEY"; echo "$FLOW_JOB_ID"']);
    await rig.run(job);
    const [key, pid] = text(job.paths.attempt, "stdout").split("\n");
    expect(key).toBe(job.key);
    expect(text(job.paths.attempt, "started")).toContain(`pid=${pid} `);
  });

  it("runs commands that are longer than an argument may be, with the shell's options", async () => {
    await using rig = await Rig.make({ sharesShells });
    const names = Array.from({ length: 20_000 }, (_, index) => `it\\'s-${index}.txt`).join(" ");
    const bash = ["bash", "-eo", "pipefail", "-c", `false | set -- ${names}; echo never`];
    const job = rig.job([`set -- ${names}; echo $#; echo "$20000"; false`, bash]);
    expect(await rig.run(job)).toMatchObject({ code: 1, action: 0 });
    expect(text(job.paths.attempt, "stdout")).toBe("20000\nit's-1.txt0000\n");
    const second = rig.job([bash]);
    expect(await rig.run(second)).toMatchObject({ code: 1, action: 0 });
    expect(text(second.paths.attempt, "stdout")).toBe("");
  });

  it("passes secrets through and writes them nowhere", async () => {
    const env = { ...process.env, API_TOKEN: "hunter2-secret" };
    await using rig = await Rig.make({ sharesShells, env });
    const changes = { secrets: ["API_TOKEN"], env: { API_TOKEN: "<secret>" } };
    const job = rig.job(
      ["[ \"$API_TOKEN\" = hunter2-'secret' ]; until [ -e go ]; do sleep 0.01; done"],
      changes,
    );
    const handle = await rig.submit(job);
    await until(() => existsSync(join(job.paths.attempt, "stdout")));
    const commandLines = childrenOf(process.pid).map((pid) => text(`/proc/${pid}/cmdline`));
    writeFileSync(join(rig.root, "go"), "");
    expect((await rig.ended(job, handle)).code).toBe(0);
    const files = readdirSync(job.paths.attempt).map((name) => text(job.paths.attempt, name));
    expect(
      [...commandLines, ...files].filter((content) => content.includes("hunter2-secret")),
    ).toEqual([]);
  });

  it("says which folder or input is missing and runs nothing", async () => {
    await using rig = await Rig.make({ sharesShells });
    const noFolder = rig.job(["echo ran"]);
    const noInput = rig.job(["echo ran"]);
    const [action] = noFolder.actions;
    if (action === undefined) throw new Error("one action");
    const gone = join(rig.root, "gone");
    const first = await rig.run({ ...noFolder, actions: [{ ...action, cwd: gone }] });
    expect(first).toMatchObject({
      code: 125,
      action: 0,
      detail: "The working directory is missing or closed.",
    });
    expect(text(noFolder.paths.attempt, "stderr")).toBe(
      `flow: the working directory ${gone} is missing or closed\n`,
    );
    const second = await rig.run({ ...noInput, actions: [{ ...action, stdin: gone }] });
    expect(second).toMatchObject({
      code: 125,
      action: 0,
      detail: "The file for the standard input is missing or closed.",
    });
    expect(text(noInput.paths.attempt, "stdout") + text(noFolder.paths.attempt, "stdout")).toBe("");
  });

  it("keeps a gigabyte without a newline out of flow's memory", async () => {
    await using rig = await Rig.make({ sharesShells });
    const before = process.memoryUsage.rss();
    const job = rig.job([["head", "-c", "1000000000", "/dev/zero"]]);
    expect((await rig.run(job)).code).toBe(0);
    expect(statSync(join(job.paths.attempt, "stdout")).size).toBe(1_000_000_000);
    expect(process.memoryUsage.rss() - before).toBeLessThan(60_000_000);
  });

  it("tells the processor time and the peak memory that were seen", async () => {
    const rang: number[] = [];
    const clock: Clock = {
      ...nodeClock,
      after: (delayMs, call) =>
        nodeClock.after(delayMs, () => {
          call();
          rang.push(delayMs);
        }),
    };
    await using rig = await Rig.make({ sharesShells, clock });
    const burn = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
    const held = "{ head -c 60000000 /dev/zero; : >held; until [ -e go ]; do sleep 0.05; done; }";
    const job = rig.job([burn, `${held} | tail >/dev/null`]);
    const handle = await rig.submit(job);
    await until(() => existsSync(join(rig.root, "held")));
    rang.length = 0;
    // Only looks at the memory are so far apart.
    await until(() => rang.some((delayMs) => [400, 800, 2000].includes(delayMs)));
    writeFileSync(join(rig.root, "go"), "");
    const { usage } = await rig.ended(job, handle);
    expect(usage?.cpuSeconds).toBeGreaterThan(0.01);
    expect(usage?.cpuSeconds).toBeLessThan(20);
    expect(usage?.peakMemoryBytes).toBeGreaterThan(50_000_000);
    expect(usage?.peakMemoryBytes).toBeLessThan(500_000_000);
  });

  it("is found lost when its shell is killed, and its program is killed after it", async () => {
    await using rig = await Rig.make({ sharesShells });
    const job = rig.job(["echo up; until [ -e never ]; do sleep 0.05; done"]);
    const handle = await rig.submit(job);
    await until(
      () =>
        existsSync(join(job.paths.attempt, "stdout")) && text(job.paths.attempt, "stdout") !== "",
    );
    const leader = Number(/pid=(\d+)/.exec(text(job.paths.attempt, "started"))?.[1]);
    const below = childrenOf(leader);
    expect(below).not.toEqual([]);
    process.kill(leader, "SIGKILL");
    expect(await rig.ended(job, handle)).toMatchObject({
      code: undefined,
      signal: "SIGKILL",
      cause: "lost",
      detail: "Its shell ended without a result.",
    });
    expect(below.filter((pid) => systemTable().read(pid)?.zombie === false)).toEqual([]);
    expect((await rig.run(rig.job(["exit 3"]))).code).toBe(3);
  });

  it("stops the program, not the shell around it", async () => {
    await using rig = await Rig.make({ sharesShells });
    const program =
      "trap 'echo got it; exit 75' TERM; echo ready; until [ -e never ]; do sleep 0.02; done";
    const job = rig.job([`sh -c ${quote(program)}; echo after`]);
    const handle = await rig.submit(job);
    await until(
      () =>
        existsSync(join(job.paths.attempt, "stdout")) &&
        text(job.paths.attempt, "stdout") === "ready\n",
    );
    await rig.backend.cancel(handle, "graceful", "preempt", rig.signal);
    expect(await rig.ended(job, handle)).toMatchObject({
      code: 75,
      signal: undefined,
      stopped: "preempt",
    });
    expect(text(job.paths.attempt, "stdout")).toBe("ready\ngot it\n");
    expect(JSON.parse(text(job.paths.attempt, "stop"))).toMatchObject({ reason: "preempt" });
  });

  it("leaves no process behind when the backend is closed", async () => {
    const before = new Set(childrenOf(process.pid));
    await using rig = await Rig.make({ sharesShells });
    for (let n = 0; n < 3; n++) expect((await rig.run(rig.job([": one", ["true"]]))).code).toBe(0);
    await rig.backend[Symbol.asyncDispose]();
    await until(() => childrenOf(process.pid).every((pid) => before.has(pid)));
    rig.backend = rig.open();
  });
});

describe("a shell that lives on", () => {
  const leaderOf = (attempt: string): number =>
    Number(/pid=(\d+)/.exec(text(attempt, "started"))?.[1]);

  it("is replaced when it was killed while it had nothing to do", async () => {
    await using rig = await Rig.make();
    const first = rig.job([": one"]);
    expect((await rig.run(first)).code).toBe(0);
    const pid = leaderOf(first.paths.attempt);
    process.kill(pid, "SIGKILL");
    await until(() => systemTable().read(pid)?.zombie !== false);
    const second = rig.job(["exit 3"]);
    expect((await rig.run(second)).code).toBe(3);
    expect(leaderOf(second.paths.attempt)).not.toBe(pid);
  });

  it("that was killed before it could claim an attempt costs only time", async () => {
    await using rig = await Rig.make();
    const first = rig.job([": one"]);
    expect((await rig.run(first)).code).toBe(0);
    process.kill(leaderOf(first.paths.attempt), "SIGKILL");
    // Submitted before the end of the shell can be noticed.
    expect((await rig.run(rig.job(["exit 3"]))).code).toBe(3);
  });
});

describe("a short command", () => {
  it.each([
    "false; echo no",
    "echo a; (exit 3); echo no",
    "if false; then :; fi; echo yes",
    "false || echo or; true && echo and",
    'echo $((1+2)) "$(echo sub)" `echo back`',
    "echo 'unclosed",
    "case a in a) echo A ;; esac; for i in 1 2; do echo $i; done",
    "nosuchcommand_xyz",
    "echo out; echo err >&2; exit 7",
    "x=1; unset_one=${unset_one-default}; echo $x $unset_one",
    "cd /; pwd; cd - >/dev/null 2>&1 || echo no old",
    'echo "$0" "$#" "$-"',
    "set -- a b; echo $2",
    "trap 'echo bye' EXIT; exit 4",
    "echo $$ >/dev/null; kill -s TERM $$",
    "f() { echo in f; return 2; }; f || echo $?",
    "cat <<X\nhere\nX",
    "printf '%s\\n' a b | while read -r l; do echo \"<$l>\"; done",
    "sleep 0.01 & wait; echo waited",
    "read -r x || echo eof",
    "exec echo replaced",
    ": >made-here; ls made-here; rm made-here",
    "echo é ü 漢字",
    "! true; echo negated",
    "echo ${FLOW_ATTEMPT_KEY#????????????????}",
    "alias ll=ls; . /dev/null; eval 'echo evaled'; echo $PPID >/dev/null",
  ])("does the same in a shell that lives on and in one of its own: %s", async (command) => {
    const seen: unknown[] = [];
    for (const [, sharesShells] of WAYS) {
      await using rig = await Rig.make({ sharesShells });
      const job = rig.job([command]);
      const { code, signal, action } = await rig.run(job);
      const clean = (stream: string): string =>
        text(job.paths.attempt, stream).replace(/^.*(not found|[Uu]nterminated).*$/gm, "$1");
      seen.push({ code, signal, action, stdout: clean("stdout"), stderr: clean("stderr") });
    }
    expect(seen[0]).toEqual(seen[1]);
  });

  it("leaves nothing to the next one in the same shell", async () => {
    await using rig = await Rig.make();
    const first = rig.job(["leaked=1; cd /; umask 0; set -f 2>/dev/null; echo first"], {
      env: { ONLY_FIRST: "1", BOTH: "1" },
    });
    expect((await rig.run(first)).code).toBe(0);
    const second = rig.job(['echo "${leaked-none} ${ONLY_FIRST-none} $BOTH"; pwd; umask; echo *'], {
      env: { BOTH: "2" },
    });
    expect((await rig.run(second)).code).toBe(0);
    const [values, folder, umask, star] = text(second.paths.attempt, "stdout").split("\n");
    expect(values).toBe("none none 2");
    expect(folder).toBe(rig.root);
    expect(Number.parseInt(umask ?? "", 8)).toBe(process.umask());
    expect(star).toContain(second.key);
  });

  it("that starts no program leaves a file only where there is something to keep", async () => {
    await using rig = await Rig.make();
    const silent = rig.job([": >made"]);
    expect((await rig.run(silent)).code).toBe(0);
    expect(readdirSync(silent.paths.attempt)).toEqual(["started"]);
    const failing = rig.job(["echo out", "cd /nonexistent"]);
    expect(await rig.run(failing)).toMatchObject({ code: 2, action: 1 });
    expect(readdirSync(failing.paths.attempt).sort()).toEqual(["started", "stderr", "stdout"]);
    expect(text(failing.paths.attempt, "stdout")).toBe("out\n");
    expect(text(failing.paths.attempt, "stderr")).toContain("/nonexistent");
    await rig.backend[Symbol.asyncDispose]();
    rig.backend = rig.open();
    expect(await rig.found(silent)).toMatchObject({ code: 0, cause: undefined });
    expect(await rig.found(failing)).toMatchObject({ code: 2, action: 1 });
  });

  it("has its variables as flow inherited them after another job had set them", async () => {
    await using rig = await Rig.make({ env: { ...process.env, INHERITED: "from flow" } });
    expect((await rig.run(rig.job([":"], { env: { INHERITED: "from the job" } }))).code).toBe(0);
    const job = rig.job(['echo "$INHERITED"']);
    expect((await rig.run(job)).code).toBe(0);
    expect(text(job.paths.attempt, "stdout")).toBe("from flow\n");
  });
});

const quote = (value: string): string => `'${value.replaceAll("'", "'\\''")}'`;
