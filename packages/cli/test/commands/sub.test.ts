import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { systemSuite } from "../../../../test/rig/system.ts";
import { projectFolder } from "../project-folder.ts";

/** A program that says what it was given, without anything of flow. */
const PLAIN =
  'import os, sys\nprint(os.path.basename(os.getcwd()), os.environ.get("MODE"), *sys.argv[1:])\n';

const LAUNCHED = `import flow_task as flow

@flow.launch(config_path="./configs")
def main(ctx):
    ctx.logger.log_metrics({"lr": ctx.config.optimizer.lr}, log_name="train")

if __name__ == "__main__":
    main()
`;

const CONFIG = "seed: 0\nmodel: {num_units: 100}\noptimizer: {lr: 10.}\n";

const QUICKSTART = `#!/bin/bash

#OAR -l core=1, walltime=6:00:00

python3 main.py  optimizer.lr=10.,1. seed=1,2
python3 main.py  model.num_units=100,200 seed=1,2
`;

const jobsIn = (stdout: string): readonly string[] =>
  stdout
    .trimEnd()
    .split("\n")
    .slice(0, -1)
    .map((line) => line.split(/ {2,}/)[2] ?? "");

systemSuite("python", "flow sub", () => {
  it("makes eight jobs of two lines, and none the second time", async () => {
    const { flow, path, write } = projectFolder({
      "main.py": LAUNCHED,
      "configs/config.yaml": CONFIG,
      "script.sh": QUICKSTART,
    });
    const first = await flow("sub", "--backend", "local", "-n", "2", "script.sh");
    expect(first.stderr).toContain("8 done");
    expect(first.code).toBe(0);
    const ids = ["1", "2", "3", "4", "5", "6", "7", "8"];
    expect(readdirSync(join(path, "logs")).toSorted()).toEqual(ids);
    const rates = ids.map((id) =>
      readFileSync(join(path, `logs/${id}/metrics/train.json`), "utf8").trim(),
    );
    expect(rates).toEqual([10, 10, 1, 1, 10, 10, 10, 10].map((lr) => `{"lr": ${lr}.0}`));
    expect(readFileSync(join(path, "logs/4/script.sh"), "utf8")).toBe(`#!/bin/sh
# main@optimizer.lr=1.,seed=2
cd ${path}
python3 main.py optimizer.lr=1. seed=2
`);
    expect(existsSync(join(path, "logs/4/log.stdout"))).toBe(true);
    expect((await flow("sub", "--backend", "local", "script.sh")).stderr).toContain(
      "nothing to do: 8 tasks fresh",
    );
    write("more.sh", "for lr in 1. 0.1; do python3 main.py optimizer.lr=$lr seed=2; done\n");
    const { stdout } = await flow("sub", "--dry-run", "more.sh");
    expect(stdout).toBe(`= fresh  main    python3 main.py optimizer.lr=1. seed=2
· run    main-2  python3 main.py optimizer.lr=0.1 seed=2
1 of 2 jobs of 2 commands would run on \`local\`
`);
  });

  it("understands loops, variables, folders, launchers and environments", async () => {
    const { flow } = projectFolder({
      "a/train.py": PLAIN,
      "script.sh": `
export MODE=fast
N=$(python3 -c 'print(1 + 1)')
for seed in 1 $N; do
  (cd a && python3 train.py --seed=$seed --lr 0.1)
done
cd a
MODE=slow python train.py "two words" &
wait
torchrun --nproc_per_node=2 train.py x=1,2
/usr/bin/python3 train.py path
nice -n 5 python train.py nice > /dev/null
if python train.py --check; then echo checked; fi
`,
    });
    const { stdout, stderr, code } = await flow("sub", "--dry-run", "script.sh");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "checked\n" });
    expect(jobsIn(stdout)).toEqual([
      "python3 train.py --seed=1 --lr 0.1",
      "python3 train.py --seed=2 --lr 0.1",
      "python train.py two words",
      "torchrun --nproc_per_node=2 train.py x=1",
      "torchrun --nproc_per_node=2 train.py x=2",
      "/usr/bin/python3 train.py path",
      "nice -n 5 python train.py nice",
      "python train.py --check",
    ]);
  });

  it("runs each command in its folder with its variables", async () => {
    const { flow, path } = projectFolder({
      "a/train.py": PLAIN,
      "script.sh": "export MODE=fast\ncd a\npython3 train.py --lr=0.1,0.2\n",
    });
    expect((await flow("sub", "-q", "script.sh")).code).toBe(0);
    const said = ["1", "2"].map((id) =>
      readFileSync(join(path, `a/logs/${id}/log.stdout`), "utf8"),
    );
    expect(said).toEqual(["a fast --lr=0.1\n", "a fast --lr=0.2\n"]);
  });

  it("starts nothing when the script is wrong", async () => {
    const { flow } = projectFolder({
      "main.py": PLAIN,
      "oar.sh": QUICKSTART,
      "slurm.sh": "#SBATCH -c 1\npython main.py\n",
      "fails.sh": "python main.py\nfalse || exit 3\n",
      "empty.sh": "echo hello\n",
      "bad.sh": "python main.py lr=1,,2\n",
      "outside.sh": "cd /\npython main.py\n",
    });
    const says = async (...args: readonly string[]): Promise<string> => {
      const { code, stderr } = await flow("sub", ...args);
      expect(code).toBe(2);
      return stderr;
    };
    expect(await says("oar.sh")).toBe(
      "flow: `oar.sh` is for OAR, and flow submits to SLURM; `--backend local` runs its jobs on this machine\n",
    );
    expect(await says("fails.sh")).toBe(
      "flow: `fails.sh` could not be read to its end, so nothing was started: it ended with code 3\n",
    );
    expect(await says("empty.sh")).toBe(
      "hello\nflow: `empty.sh` runs no python program; write lines such as `python main.py lr=0.1,0.01`\n",
    );
    expect(await says("bad.sh")).toBe(
      "flow: a value is empty in `lr=1,,2`; take the comma away, or write `\\,` for one that belongs to the value\n",
    );
    expect(await says("outside.sh")).toMatch(
      /^flow: `python main\.py` would run in \/, outside of .*; go to the folder above both, or say -C\n$/,
    );
    expect(await says("nowhere.sh")).toBe(
      "flow: the script `nowhere.sh` cannot be read: it does not exist\n",
    );
  });
});
