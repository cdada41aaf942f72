/** Other tools share the GPUs too: the nine-job example under make, doit and Snakemake. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { FakeMachine } from "../../gpu/fake-gpus.ts";
import { systemSuite } from "../../rig/system.ts";

const main = fileURLToPath(new URL("../../../packages/cli/dist/main.js", import.meta.url));
const job = fileURLToPath(new URL("../../../workflows/glb/job.py", import.meta.url));

interface Place {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
}

function using(test: (place: Place) => void): void {
  const machine = new FakeMachine(2);
  const folder = mkdtempSync(join(tmpdir(), "flow-tools-"));
  const { FLOW_GPU_LEASE: _outer, ...own } = process.env;
  const env = { ...own, ...machine.env, FLOW: `${process.execPath} ${main}` };
  cpSync(job, join(folder, "job.py"));
  writeFileSync(join(folder, "gate.sh"), GATE);
  try {
    test({ folder, env });
  } finally {
    spawnSync(process.execPath, [main, "gpu", "stop"], { env });
    rmSync(folder, { recursive: true, force: true });
    machine.remove();
  }
}

const kinds = { numpy: 1126, tensorflow: 1434, torch: 1280 };
/** No job goes on before two have a GPU: however slowly they come, they share. */
const GATE =
  ': > "held.$$"; until (set -- held.*; [ $# -ge 2 ]); do sleep 0.05; done; exec python3 job.py "$@"\n';
const command = (kind: string, mib: number, seed: number): string =>
  `gpu run -- sh gate.sh --kind ${kind} --mib ${mib} --seed ${seed} --seconds 0.5 --out ${kind}-${seed}.json`;
const jobs = Object.entries(kinds).flatMap(([kind, mib]) =>
  [1, 2, 3].map((seed) => ({ name: `${kind}-${seed}`, line: command(kind, mib, seed) })),
);

function expectAllRan(folder: string): void {
  const made = readdirSync(folder).filter((name) => name.endsWith(".json"));
  expect(made.sort()).toEqual(jobs.map(({ name }) => `${name}.json`).sort());
  const gpus = made.map(
    (name) => (JSON.parse(readFileSync(join(folder, name), "utf8")) as { gpus: string }).gpus,
  );
  expect(new Set(gpus).size).toBe(2);
}

systemSuite(["cc", "make", "python"], "GPUs shared under make", () => {
  it("runs nine jobs of three kinds, and passes a failure on", () =>
    using(({ folder, env }) => {
      const rules = jobs.map(({ name, line }) => `${name}.json: ; $(FLOW) ${line}\n`).join("");
      const all = `all: ${jobs.map(({ name }) => `${name}.json`).join(" ")}\n`;
      writeFileSync(
        join(folder, "Makefile"),
        `${all}${rules}bad: ; $(FLOW) gpu run -- sh -c 'exit 7'\n`,
      );
      const good = spawnSync("make", ["-j9"], { cwd: folder, env, encoding: "utf8" });
      expect(good.stderr).toBe("");
      expect(good.status).toBe(0);
      expectAllRan(folder);
      const bad = spawnSync("make", ["bad"], { cwd: folder, env, encoding: "utf8" });
      expect(bad.stderr).toContain("Error 7");
      expect(bad.status).toBe(2);
    }));
});

systemSuite(["cc", "doit", "python"], "GPUs shared under doit", () => {
  it("runs nine jobs of three kinds, nine at once", () =>
    using(({ folder, env }) => {
      const lines = jobs
        .map(
          ({ name, line }) =>
            `    yield {"name": "${name}", "actions": [FLOW + " ${line}"], "targets": ["${name}.json"]}`,
        )
        .join("\n");
      const text = `import os\nFLOW = os.environ["FLOW"]\n\ndef task_train():\n${lines}\n`;
      writeFileSync(join(folder, "dodo.py"), text);
      const run = spawnSync("doit", ["-n", "9"], { cwd: folder, env, encoding: "utf8" });
      expect(run.stderr).toBe("");
      expect(run.status).toBe(0);
      expectAllRan(folder);
    }));
});

systemSuite(["cc", "snakemake?", "python"], "GPUs shared under Snakemake", () => {
  it("runs nine jobs of three kinds, nine at once, and passes a failure on", () =>
    using(({ folder, env }) => {
      const rule = (name: string, output: string, line: string): string =>
        `rule ${name.replace("-", "_")}:\n    output: "${output}"\n    shell: FLOW + " ${line}"\n`;
      const rules = jobs.map(({ name, line }) => rule(name, `${name}.json`, line)).join("\n");
      const inputs = jobs.map(({ name }) => `"${name}.json"`).join(", ");
      const all = `import os\nFLOW = os.environ["FLOW"]\n\nrule all:\n    input: ${inputs}\n`;
      const bad = rule("bad", "bad.txt", "gpu run -- sh -c 'exit 7'");
      writeFileSync(join(folder, "Snakefile"), `${all}\n${rules}\n${bad}`);
      const snakemake = (target: string): readonly [number | null, string] => {
        const run = spawnSync("snakemake", ["--cores", "9", "--nocolor", target], {
          cwd: folder,
          env: { ...env, XDG_CACHE_HOME: join(folder, "cache") },
          encoding: "utf8",
        });
        return [run.status, run.stderr];
      };
      expect(snakemake("all")).toEqual([0, expect.stringContaining("10 of 10 steps (100%) done")]);
      expectAllRan(folder);
      expect(snakemake("bad")).toEqual([1, expect.stringContaining("Error in rule bad")]);
    }));
});
