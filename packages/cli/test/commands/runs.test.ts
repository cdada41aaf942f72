import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { type ProjectFolder, projectFolder } from "../project-folder.ts";

const DATE = /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g;
const TIMES = / *\b\d+(\.\d+)?(ms|s)\b/g;

const steady = (text: string): string =>
  text
    .replaceAll(DATE, "DATE")
    .replaceAll(TIMES, " TIME")
    .replaceAll(/\b[0-9a-f]{7}-(\d)/g, "KEY-$1");

const FLOW = `version: 1
workspace: lab
experiment: digits
params: { lr: 0.1 }
tasks:
  train:
    matrix: { seed: [1, 2] }
    deps: [train.sh]
    targets: ["out/\${{ matrix.seed }}.txt"]
    metrics: { stdout: "loss (?<loss>[0-9.]+)" }
    actions: ["sh train.sh \${{ params.lr }} > \${{ target }}; cat \${{ target }}"]
`;

const SCRIPT = 'for e in 3 2 1; do echo "loss $e.5"; done\n';

/** Two seeds with two learning rates, all recorded. */
async function project(): Promise<ProjectFolder> {
  const folder = projectFolder({ "flow.yaml": FLOW, "train.sh": SCRIPT });
  for (const lr of ["0.1", "10."]) {
    expect(await folder.flow("run", "-q", "-n", "1", "-p", `lr=${lr}`)).toMatchObject({ code: 0 });
  }
  return folder;
}

describe("flow runs", () => {
  it("lists what was tried, the latest first, with what varies and what came of it", async () => {
    const { flow } = await project();
    const { stdout, code } = await flow("runs");
    expect(code).toBe(0);
    const [titles, ...rows] = stdout.split("\n");
    expect(titles).toMatch(/^ID +TASK +BEGAN +TOOK +RESULT +lr +seed +loss$/);
    expect(rows.slice(0, 2).map(steady).sort()).toEqual([
      "KEY-2  train  DATE TIME  ✔ done  10.  1     1.5 █▅▁",
      "KEY-2  train  DATE TIME  ✔ done  10.  2     1.5 █▅▁",
    ]);
    expect(rows.slice(2).map(steady).sort()).toEqual([
      "",
      "KEY-1  train  DATE TIME  ✔ done  0.1  1     1.5 █▅▁",
      "KEY-1  train  DATE TIME  ✔ done  0.1  2     1.5 █▅▁",
    ]);
  });

  it("takes expressions and names, chooses the best, and groups", async () => {
    const { flow } = await project();
    const ids = async (...args: string[]): Promise<readonly string[]> => {
      const { stdout, stderr } = await flow("runs", "--ids", ...args);
      expect(stderr).toBe("");
      return stdout.trim().split("\n");
    };
    expect(await ids("params.lr < 1 and metrics.loss.max >= 3.5")).toHaveLength(2);
    expect(await ids("train@seed=1")).toHaveLength(2);
    expect(await ids("train@*", "config.seed == 2 & info.status == 'COMPLETE'")).toHaveLength(2);
    expect(await ids("workspace == 'lab' and duration < 1h and tags is not null")).toHaveLength(4);
    expect(await ids("--best", "min:loss", "--per", "lr")).toHaveLength(2);
    const grouped = await flow("runs", "--group-by", "lr");
    expect(grouped.stdout).toBe("lr   RUNS  loss\n0.1     2  1.5 ± 0\n10.     2  1.5 ± 0\n");
    const columns = await flow(
      "query",
      "--cols",
      "seed,experiment",
      "--sort",
      "-seed",
      "params.lr > 1",
    );
    expect(steady(columns.stdout)).toMatch(
      /^ID +seed +experiment\nKEY-2 +2 +digits\nKEY-2 +1 +digits\n$/,
    );
  });

  it("says where an expression is wrong", async () => {
    const { flow } = await project();
    const refused = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await flow("runs", ...args);
      expect([code, stdout]).toEqual([2, ""]);
      return stderr;
    };
    expect(await refused("params.lrr < 1 and true")).toBe(
      "flow: `params.lrr` means nothing here\n  params.lrr < 1 and true\n  ^^^^^^^^^^\nDid you mean `params.lr`?\n",
    );
    expect(await refused("params.lr <")).toBe(
      "flow: the expression ends where a value is expected\n  params.lr <\n             ^\n",
    );
    expect(await refused("trian")).toBe(
      "flow: `trian` means nothing here\n  trian\n  ^^^^^\nDid you mean `train`?\n",
    );
    expect(await refused("--sort", "-metrics.los")).toBe(
      "flow: `metrics.los` is no field of these records\n  -metrics.los\n   ^^^^^^^^^^^\nDid you mean `metrics.loss`?\n",
    );
    expect(await refused("--best", "loss")).toBe(
      "flow: expected `max:FIELD` or `min:FIELD`\n  loss\n  ^^^^\nWrite for instance `max:metrics.acc`.\n",
    );
  });

  it("works beside a flow file that is broken, and without one", async () => {
    const folder = await project();
    folder.write("flow.yaml", "version: [\n");
    expect((await folder.flow("runs", "--ids")).stdout.split("\n")).toHaveLength(5);
    const empty = await projectFolder({}).flow("runs");
    expect(empty.code).toBe(2);
    expect(empty.stderr).toContain("so nothing is on record");
  });
});

describe("a record", () => {
  it("is shown in full", async () => {
    const { flow } = await project();
    const { stdout } = await flow("show", "train@seed=1#last");
    expect(stdout).toContain("  group       lab, digits\n");
    expect(stdout).toContain("  params      lr = 10.\n              seed = 1\n");
    expect(stdout).toContain("  metrics     loss = 1.5  1.5 … 3.5  (3)  █▅▁\n");
    expect(stdout).toContain("  commands    sh train.sh 10. > out/1.txt; cat out/1.txt\n");
    const missing = await flow("show", "train@seed=1#7");
    expect(missing.stderr).toContain("no record is called `train@seed=1#7`");
  });

  it("is compared with another, down to the lines of code that nobody committed", async () => {
    const folder = projectFolder({ "flow.yaml": FLOW, "train.sh": SCRIPT });
    execFileSync("git", ["init", "-q", folder.path]);
    await folder.flow("run", "-q", "train@seed=1");
    folder.write("train.sh", SCRIPT.replace("3 2 1", "4 2 1"));
    await folder.flow("run", "-q", "train@seed=1", "-p", "lr=0.2");
    const { stdout } = await folder.flow("compare", "train@seed=1#1", "train@seed=1");
    expect(stdout).toMatch(/^params\n {2}lr +0\.1 +0\.2\n/m);
    expect(stdout).toMatch(/^ {2}loss\.max +3\.5 +4\.5\n/m);
    expect(stdout).toContain(
      'changed train.sh\n@@ -1,1 +1,1 @@\n-for e in 3 2 1; do echo "loss $e.5"; done\n+for e in 4 2 1; do echo "loss $e.5"; done\n',
    );
    const same = await folder.flow("compare", "train@seed=1", "train@seed=1");
    expect(same.stdout).toBe("no difference is on record\n");
    const several = await folder.flow("compare", "nothing", "train");
    expect(several.stderr).toContain("no record is called `nothing`");
  });
});
