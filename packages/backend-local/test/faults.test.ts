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
      const observed = async (): Promise<unknown> => {
        const answer = await rig.backend.observe(new Map([[job.key, handle]]), rig.signal);
        return answer.ok ? answer.value.get(job.key) : undefined;
      };
      await until(async () => ((await observed()) as { type: string }).type === "queued");
      expect(await observed()).toEqual({
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
});
