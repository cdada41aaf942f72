/** `flow gpu` as a person uses it: taking a card out of service, carrying profiles, watching. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { FakeMachine } from "../../gpu/fake-gpus.ts";
import { systemSuite } from "../../rig/system.ts";

const main = fileURLToPath(new URL("../../../packages/cli/dist/main.js", import.meta.url));
const SECOND = "GPU-00000001-0000-0000-0000-000000000000";

interface Shown {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Place {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  gpu(...args: readonly string[]): Shown;
}

async function using(test: (place: Place) => Promise<void> | void): Promise<void> {
  const machine = new FakeMachine(2);
  const folder = mkdtempSync(join(tmpdir(), "flow-gpu-cli-"));
  const { FLOW_GPU_LEASE: _outer, ...own } = process.env;
  const env = { ...own, ...machine.env };
  const gpu = (...args: readonly string[]): Shown => {
    const command = [main, "gpu", ...args];
    const { status, stdout, stderr } = spawnSync(process.execPath, command, {
      cwd: folder,
      env,
      encoding: "utf8",
    });
    return { code: status, out: stdout, err: stderr };
  };
  try {
    expect(gpu("start").code).toBe(0);
    await test({ folder, env, gpu });
  } finally {
    gpu("stop");
    rmSync(folder, { recursive: true, force: true });
    machine.remove();
  }
}

const good: Shown = { code: 0, out: "", err: "" };

/** A profile as `export` prints it, with as many runs as are kept. */
const profile = JSON.stringify([
  "train@model=cnn",
  {
    samples: Array.from({ length: 32 }, (_, n) => ({
      peakBytes: 3 * 2 ** 30 + n,
      load: 0.123456789012345,
      durationMs: 123_456_789,
      steadyBytes: 2 * 2 ** 30 + n,
      peakAfterMs: 12_345_678,
      source: "in-process",
      params: { "batch-size": 4096, "hidden-units": 16_384 },
    })),
    floorBytes: 0,
  },
]);

systemSuite("cc", "flow gpu", () => {
  it("puts nothing on a drained GPU until it is undrained", () =>
    using(({ gpu }) => {
      expect(gpu("drain", "0")).toEqual(good);
      const [first = "", second = ""] = gpu("status").out.split("\n");
      expect(first).toMatch(/^GPU 0 .* drained$/);
      expect(second).not.toContain("drained");
      const shown = gpu("run", "--", "sh", "-c", "echo $CUDA_VISIBLE_DEVICES");
      expect(shown).toEqual({ ...good, out: `${SECOND}\n` });
      expect(gpu("undrain", "0")).toEqual(good);
      expect(gpu("status").out).not.toContain("drained");
    }));

  it("says which GPU to name, and that there is no such GPU", () =>
    using(({ gpu }) => {
      const which = "flow: say which GPU, by index or UUID: `flow gpu drain 0`\n";
      expect(gpu("drain")).toEqual({ code: 2, out: "", err: which });
      const none = "flow: There is no GPU `7`.\n";
      expect(gpu("undrain", "7")).toEqual({ code: 4, out: "", err: none });
    }));

  it("carries profiles to another machine and forgets them", () =>
    using(({ folder, gpu }) => {
      expect(gpu("profile")).toEqual(good);
      writeFileSync(join(folder, "learned.jsonl"), `${profile}\n`);
      expect(gpu("profile", "import", "learned.jsonl")).toEqual(good);
      const listed = "   3.0 GiB  32 runs  train@model=cnn\n";
      expect(gpu("profile", "list")).toEqual({ ...good, out: listed });
      const exported = gpu("profile", "export");
      expect(JSON.parse(exported.out)).toEqual(JSON.parse(profile));
      expect(gpu("profile", "forget", "train@model=cnn")).toEqual(good);
      expect(gpu("profile", "list")).toEqual(good);
      expect(gpu("run", "--help")).toEqual(gpu("--help"));
      expect(gpu("run", "--", "printf", "%s", "--help")).toEqual({ ...good, out: "--help" });
    }));

  it("refuses a file that holds no profiles, and verbs it does not know", () =>
    using(({ folder, gpu }) => {
      const path = join(folder, "broken.jsonl");
      const sample = '{"peakBytes":"3 GiB","params":{}}';
      const wrong = [
        "no profile",
        "{}",
        '["train",{}]',
        `["train",{"samples":[${sample}],"floorBytes":0}]`,
      ];
      for (const line of wrong) {
        writeFileSync(path, `${profile}\n\n${line}\n`);
        const message = `flow: ${path}:3: this is no profile; expected lines as \`flow gpu profile export\` prints them. Nothing was imported\n`;
        expect(gpu("profile", "import", "broken.jsonl")).toEqual({
          code: 2,
          out: "",
          err: message,
        });
      }
      expect(gpu("profile", "list")).toEqual(good);
      expect(gpu("profile", "show").err).toBe(
        "flow: `flow gpu profile` takes list, export, import FILE or forget KEY, not `show`\n",
      );
    }));

  it("shows the cards again and again until it is stopped", () =>
    using(async ({ env }) => {
      const top = spawn(process.execPath, [main, "gpu", "top"], { env });
      const [, exit] = [top.stdout.setEncoding("utf8"), once(top, "exit")];
      let text = "";
      for await (const part of top.stdout) {
        text += String(part);
        if (text.match(/^GPU 0 /gm)?.length === 2) top.kill("SIGINT");
      }
      expect(await exit).toEqual([0, null]);
      const [gpu0, gpu1] = text.split("\n");
      expect(gpu0).toBe(
        `GPU 0 [${"·".repeat(24)}] 0.0 GiB of 23.5 GiB   0% busy  NVIDIA Fake 24GB`,
      );
      expect(gpu1).toMatch(/^GPU 1 /);
    }));

  it("follows a broker that was killed with one that is started alike, and one that ended with any", () =>
    using(({ gpu }) => {
      const room = (): string => gpu("run", "--", "sh", "-c", "echo $FLOW_GPU_MEM_MB").out;
      const half = room();
      expect(gpu("stop").code).toBe(0);
      expect(gpu("start", "--careful").code).toBe(0);
      const whole = room();
      expect(Number(whole)).toBeGreaterThan(Number(half));
      const { pid } = JSON.parse(gpu("status", "--json").out) as { pid: number };
      process.kill(pid, "SIGKILL");
      expect(room()).toBe(whole);
      expect(gpu("stop").code).toBe(0);
      expect(room()).toBe(half);
    }));

  it("says that no broker runs, and how to see what there is", () =>
    using(({ env, gpu }) => {
      expect(gpu("stop").code).toBe(0);
      const path = env["FLOW_GPU_SOCKET"];
      const problem = `flow: no GPU broker is running (${path}: ENOENT)`;
      expect(gpu("profile")).toEqual({ code: 4, out: "", err: `${problem}\n` });
      const hint = "`flow gpu doctor` says what GPUs there are";
      expect(gpu("status")).toEqual({ code: 4, out: "", err: `${problem}; ${hint}\n` });
    }));
});
