/** A machine without room, without a shell, without descriptors. */

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Rig, until, WAYS } from "./rig.ts";

let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "flow-"));
  const sources = [
    new URL("fixtures/exhaust-descriptors.ts", import.meta.url),
    new URL("fixtures/submit-and-wait.ts", import.meta.url),
  ];
  await build({
    entryPoints: sources.map((source) => fileURLToPath(source)),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    conditions: ["@flow/source"],
    logLevel: "error",
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("names the shell that PATH does not have", async () => {
  const empty = join(folder, "empty");
  mkdirSync(empty);
  await using rig = await Rig.make({ env: { ...process.env, PATH: empty } });
  const job = rig.job([["bash", "-eo", "pipefail", "-c", "echo hi"]]);
  expect((await rig.backend.submit([job], rig.signal)).get(job.key)).toEqual({
    ok: false,
    error: {
      type: "misconfigured",
      message: `The shell \`bash\` of task ${job.task} was not found on PATH; install it or choose another \`shell:\`.`,
    },
  });
});

it.each(WAYS)("an attempt %s is lost when its directory is gone", async (_way, sharesShells) => {
  await using rig = await Rig.make({ sharesShells });
  expect((await rig.run(rig.job([":"]))).code).toBe(0);
  const job = rig.job(["echo ran >made; exit 1"]);
  rmSync(job.paths.attempt, { recursive: true });
  expect(await rig.run(job)).toMatchObject({ code: undefined, cause: "lost" });
  expect(existsSync(join(rig.root, "made"))).toBe(false);
});

it.each(WAYS)(
  "an attempt %s whose directory goes while it runs does not wait for it to come back",
  async (_way, sharesShells) => {
    const tools = join(folder, `tools-${sharesShells}`);
    mkdirSync(tools);
    const waited = join(tools, "waited");
    writeFileSync(join(tools, "sleep"), `#!/bin/sh\n: >'${waited}'\n`, { mode: 0o755 });
    const PATH = `${tools}:${process.env["PATH"]}`;
    await using rig = await Rig.make({ sharesShells, env: { ...process.env, PATH } });
    const exit = await rig.run(rig.job(['rm -r "$FLOW_TASK_DIR"; exit 3']));
    expect(exit).toMatchObject(sharesShells ? { code: 3 } : { code: undefined, cause: "lost" });
    expect(existsSync(waited)).toBe(false);
  },
);

it("is unavailable while no descriptor is free, and works again afterwards", () => {
  const { stdout, stderr } = spawnSync(
    "sh",
    [
      "-c",
      'ulimit -n 64; exec "$@"',
      "sh",
      process.execPath,
      join(folder, "exhaust-descriptors.mjs"),
    ],
    { encoding: "utf8" },
  );
  expect(stderr).toBe("");
  expect(JSON.parse(stdout)).toEqual([
    {
      ok: false,
      error: {
        type: "unavailable",
        message: "This machine cannot start another process now (EMFILE).",
        retryAfterMs: 250,
      },
    },
    { code: 0 },
  ]);
});

it("gives an interactive job flow's own terminal or streams", async () => {
  await using rig = await Rig.make();
  const job = {
    ...rig.job(['read -r line; echo "got $line"; echo err >&2; exit 3']),
    interactive: true,
  };
  writeFileSync(join(rig.root, "job.json"), JSON.stringify(job));
  const run = spawnSync(
    process.execPath,
    [join(folder, "submit-and-wait.mjs"), join(rig.root, "job.json")],
    {
      input: "a line\n",
      encoding: "utf8",
    },
  );
  expect(run).toMatchObject({ status: 0, stdout: "got a line\n", stderr: "err\n" });
  expect(readFileSync(join(job.paths.attempt, "exit"), "utf8")).toMatch(/^code=3 signal=0 /);
});

function sh(script: string, argument: string): void {
  execFileSync("sh", ["-c", script, "sh", argument], { stdio: "ignore" });
}

const mountSmall = (place: string): void => sh('mount -t tmpfs -o size=64k tmpfs "$1"', place);
/** The folder itself is one of the files. */
const mountForFiles = (place: string, files: number): void =>
  sh(`mount -t tmpfs -o nr_inodes=${files} tmpfs "$1"`, place);
const allowFiles = (place: string, files: number): void =>
  sh(`mount -o remount,nr_inodes=${files} "$1"`, place);
const unmount = (place: string): void => sh('umount -l "$1"', place);

function mayMount(): boolean {
  const place = mkdtempSync(join(tmpdir(), "flow-"));
  try {
    mountSmall(place);
    unmount(place);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(place, { recursive: true });
  }
}

describe.skipIf(!mayMount())("on a full disk (needs the right to mount a tmpfs)", () => {
  it.each(WAYS)("an attempt %s waits for room and then runs once", async (_way, sharesShells) => {
    await using rig = await Rig.make({ sharesShells });
    const job = rig.job(["echo ran"]);
    const place = job.paths.attempt;
    mountSmall(place);
    try {
      writeFileSync(join(place, "filler"), Buffer.alloc(16 * 4096));
      const handle = await rig.submit(job);
      await until(async () => (await rig.seen(job, handle))?.type === "queued");
      expect(await rig.seen(job, handle)).toEqual({
        type: "queued",
        why: "This machine cannot start another process or write a file now.",
      });
      rmSync(join(place, "filler"));
      expect((await rig.ended(job, handle)).code).toBe(0);
      expect(readFileSync(join(place, "stdout"), "utf8")).toBe("ran\n");
    } finally {
      unmount(place);
    }
  });

  it.each(WAYS)(
    "an attempt %s that filled it has its result all the same",
    async (_way, sharesShells) => {
      await using rig = await Rig.make({ sharesShells });
      const job = rig.job(['cat /dev/zero >"$FLOW_TASK_DIR/filler" || exit 4']);
      mountSmall(job.paths.attempt);
      try {
        expect((await rig.run(job)).code).toBe(4);
        rig.backend = rig.open();
        const found = await rig.backend.reattach(
          [{ key: job.key, attempt: job.paths.attempt, handle: undefined }],
          rig.signal,
        );
        const handle = found.ok ? found.value.get(job.key) : undefined;
        expect((await rig.ended(job, handle!)).code).toBe(4);
      } finally {
        unmount(job.paths.attempt);
      }
    },
  );

  it.each(WAYS)(
    "an attempt %s waits until there is room for the files of its output",
    async (_way, sharesShells) => {
      await using rig = await Rig.make({ sharesShells });
      const job = rig.job(["cat /dev/null; echo ran"]);
      const place = job.paths.attempt;
      mountForFiles(place, 3);
      try {
        const handle = await rig.submit(job);
        await until(async () => (await rig.seen(job, handle))?.type === "queued");
        allowFiles(place, 20);
        expect((await rig.ended(job, handle)).code).toBe(0);
        expect(readFileSync(join(place, "stdout"), "utf8")).toBe("ran\n");
      } finally {
        unmount(place);
      }
    },
  );

  it.each(WAYS)(
    "an attempt %s has its result where there is room for no other file",
    async (_way, sharesShells) => {
      await using rig = await Rig.make({ sharesShells });
      const makeFiles =
        'n=0; while cat /dev/null >"$FLOW_TASK_DIR/$n"; do n=$((n + 1)); done; exit 4';
      const job = rig.job([makeFiles]);
      mountForFiles(job.paths.attempt, 20);
      try {
        expect((await rig.run(job)).code).toBe(4);
        rig.backend = rig.open();
        expect(await rig.found(job)).toMatchObject({ code: 4 });
      } finally {
        unmount(job.paths.attempt);
      }
    },
  );
});
