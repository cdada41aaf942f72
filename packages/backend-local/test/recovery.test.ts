/** What is made of the directories that an earlier flow left behind. */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Job } from "@flow/core";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isAlive, type ProcessTable, systemTable } from "../src/process/table.ts";
import { Rig, until } from "./rig.ts";

const table = systemTable();

/** A process that is not flow's. */
async function withStranger<T>(
  use: (stranger: { pid: number; start: string }) => Promise<T>,
): Promise<T> {
  const child: ChildProcess = spawn("sleep", ["100"], { stdio: "ignore" });
  const pid = child.pid ?? 0;
  try {
    return await use({ pid, start: table.read(pid)?.start ?? "" });
  } finally {
    child.kill("SIGKILL");
  }
}

function claim(job: Job, words: Partial<Record<"pid" | "start" | "boot", string | number>>): void {
  const { pid = 1, start = "1", boot = table.boot } = words;
  writeFileSync(
    job.paths.started,
    `pid=${pid} start=${start} boot=${boot} host=h uptime=1.00 runner=local stop=SIGTERM grace=100 timeout=- actions=-\n`,
  );
}

const result = (job: Job, text: string): void => writeFileSync(job.paths.exit, text);

describe("an attempt found in its directory", () => {
  const prepared = (rig: Rig): Job => {
    const job = rig.job(["exit 0"]);
    const { attempt } = job.paths;
    return {
      ...job,
      paths: { ...job.paths, started: join(attempt, "started"), exit: join(attempt, "exit") },
    };
  };

  it("is not taken for a stranger that got its pid, and the stranger lives on", async () => {
    await using rig = await Rig.make();
    await withStranger(async ({ pid, start }) => {
      const job = prepared(rig);
      claim(job, { pid, start: `${start}1` });
      expect(await rig.found(job)).toMatchObject({
        code: undefined,
        cause: "lost",
        detail: "Its shell ended without a result.",
      });
      expect(isAlive({ pid, start, boot: table.boot }, table)).toBe(true);
    });
  });

  it("runs while its shell lives, and is lost when that dies without a result", async () => {
    await using rig = await Rig.make();
    const job = prepared(rig);
    await withStranger(async ({ pid, start }) => {
      claim(job, { pid, start });
      expect(await rig.found(job)).toBe("not ended");
    });
    await until(async () => (await rig.found(job)) !== "not ended");
    expect(await rig.found(job)).toMatchObject({ code: undefined, cause: "lost" });
  });

  it("is lost when the machine was restarted, whatever has its pid now", async () => {
    await using rig = await Rig.make();
    await withStranger(async ({ pid, start }) => {
      const job = prepared(rig);
      claim(job, { pid, start, boot: "00000000-0000-0000-0000-000000000000" });
      expect(await rig.found(job)).toMatchObject({
        cause: "lost",
        detail: "The machine was restarted while it ran.",
      });
    });
  });

  it("is lost when the machine was restarted, as a table with another boot sees it", async () => {
    const restarted: ProcessTable = { ...table, boot: "another-boot" };
    await using rig = await Rig.make({ table: restarted });
    const job = prepared(rig);
    claim(job, { pid: process.pid, start: table.read(process.pid)?.start ?? "" });
    expect(await rig.found(job)).toMatchObject({ cause: "lost" });
  });

  it("has the result it wrote although the machine was restarted since", async () => {
    await using rig = await Rig.make();
    const job = prepared(rig);
    claim(job, { boot: "another-boot" });
    result(job, "code=7 signal=0 stopped=- cause=- action=2 leaky=0 error=- uptime=5.00\n");
    expect(await rig.found(job)).toMatchObject({ code: 7, action: 1, cause: undefined });
  });

  it.each(["", "code=0", "code=0 signal=0 stopped=- cause=- action=1 leaky=0 error=- uptime=5.00"])(
    "is lost when its result is torn: %j",
    async (torn) => {
      await using rig = await Rig.make();
      const job = prepared(rig);
      claim(job, { pid: 2 ** 22 + 1 });
      result(job, torn);
      expect(await rig.found(job)).toMatchObject({ code: undefined, cause: "lost" });
    },
  );

  it.each(["code=\n", "\n", "garbage\n", "\0\0\0\n"])(
    "is lost when its result makes no sense: %j",
    async (garbage) => {
      await using rig = await Rig.make();
      const job = prepared(rig);
      claim(job, { pid: 2 ** 22 + 1 });
      result(job, garbage);
      expect(await rig.found(job)).toMatchObject({ code: undefined, cause: "lost" });
    },
  );

  it("may be about to start while its claim is young and torn, and is lost when it is old", async () => {
    await using rig = await Rig.make();
    const job = prepared(rig);
    writeFileSync(job.paths.started, "pid=12");
    expect(await rig.found(job)).toBe("not ended");
    const old = Date.now() / 1000 - 60;
    utimesSync(job.paths.started, old, old);
    await until(async () => (await rig.found(job)) !== "not ended");
    expect(await rig.found(job)).toMatchObject({ cause: "lost" });
  });

  it("never started when there is no claim, and its shell finds the claim taken", async () => {
    await using rig = await Rig.make();
    const job = prepared(rig);
    expect(await rig.found(job)).toBe("never started");
    expect(readFileSync(job.paths.started, "utf8")).toBe("pid=- runner=fence\n");
    const answer = (await rig.backend.submit([job], rig.signal)).get(job.key);
    expect(answer).toEqual({
      ok: false,
      error: {
        type: "rejected",
        message: `Attempt ${job.key} was given up before it started and cannot start any more.`,
      },
    });
    expect(existsSync(join(job.paths.attempt, "stdout"))).toBe(false);
  });

  it("never started when its directory is gone", async () => {
    await using rig = await Rig.make();
    const job = prepared(rig);
    rmSync(job.paths.attempt, { recursive: true });
    expect(await rig.found(job)).toBe("never started");
  });
});

describe("after flow was killed", () => {
  let folder: string;
  let script: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "flow-"));
    script = join(folder, "submit.mjs");
    await build({
      entryPoints: [fileURLToPath(new URL("fixtures/submit-and-wait.ts", import.meta.url))],
      outfile: script,
      bundle: true,
      platform: "node",
      format: "esm",
      conditions: ["@flow/source"],
      logLevel: "error",
    });
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ["a plain command", "echo one; until [ -e go ]; do sleep 0.02; done; echo two; : >done"],
    [
      "a command with a shell of its own",
      "trap '' HUP; echo one; until [ -e go ]; do sleep 0.02; done; echo two; : >done",
    ],
  ])("%s goes on, is adopted and keeps its log and its result", async (_what, command) => {
    await using rig = await Rig.make();
    const job = rig.job([command, "exit 7"]);
    const stdout = join(job.paths.attempt, "stdout");
    writeFileSync(join(rig.root, "job.json"), JSON.stringify(job));
    const flow = spawn(process.execPath, [script, join(rig.root, "job.json")], {
      stdio: "inherit",
    });
    await until(() => existsSync(stdout) && readFileSync(stdout, "utf8") === "one\n");
    const gone = new Promise((resolve) => flow.once("exit", resolve));
    flow.kill("SIGKILL");
    await gone;
    expect(await rig.found(job)).toBe("not ended");
    writeFileSync(join(rig.root, "go"), "");
    await until(async () => (await rig.found(job)) !== "not ended");
    expect(await rig.found(job)).toMatchObject({ code: 7, action: 1, cause: undefined });
    expect(readFileSync(stdout, "utf8")).toBe("one\ntwo\n");
    const pid = Number(
      /pid=(\d+)/.exec(readFileSync(join(job.paths.attempt, "started"), "utf8"))?.[1],
    );
    await until(() => table.read(pid)?.zombie !== false);
  });
});
