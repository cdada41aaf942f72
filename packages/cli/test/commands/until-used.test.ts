import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type ProjectFolder, projectFolder } from "../project-folder.ts";

const CHAIN = `version: 1
params: { v: 1 }
tasks:
  raw: { targets: [{ path: raw.bin, keep: until_used }], actions: ["echo raw > raw.bin"] }
  prep:
    deps: [raw.bin]
    targets: [{ path: prep/, keep: until_used }]
    actions: ["mkdir -p prep; cp raw.bin prep/x"]
  train:
    matrix: { seed: [1, 2] }
    deps: [prep/x]
    targets: ["m\${{ matrix.seed }}.txt"]
    actions: ["cat prep/x > \${{ target }}; echo \${{ params.v }}"]
`;

const there = ({ path }: ProjectFolder, ...names: readonly string[]): readonly string[] =>
  names.filter((name) => existsSync(join(path, name)));

describe("a target that is kept until used", () => {
  it("is gone after the run, and nothing is stale without it", async () => {
    const project = projectFolder({ "flow.yaml": CHAIN });
    const { code, stderr } = await project.flow("run", "-v");
    expect(code).toBe(0);
    expect(stderr).toMatch(/removed \[\d\/4\] raw\.bin of raw, no longer needed\n/);
    expect(there(project, "raw.bin", "prep", "m1.txt", "m2.txt")).toEqual(["m1.txt", "m2.txt"]);
    expect((await project.flow("plan", "--check")).code).toBe(0);
    expect((await project.flow("status")).stdout).toBe(
      `raw        = fresh    raw.bin removed after use
prep       = fresh    prep removed after use
train  ×2  = 2 fresh
`,
    );
    expect((await project.flow("why", "raw")).stdout).toContain(
      "note      raw.bin was removed after its last use; it is made again when a task needs it\n",
    );
  });

  it("stays while somebody who uses it was not part of the run", async () => {
    const project = projectFolder({ "flow.yaml": CHAIN });
    expect((await project.flow("run", "-q", "train@seed=1")).code).toBe(0);
    expect(there(project, "raw.bin", "prep/x")).toEqual(["prep/x"]);
  });

  it("is made again for whoever needs it, with all that it takes, and goes again", async () => {
    const project = projectFolder({ "flow.yaml": CHAIN });
    await project.flow("run", "-q");
    const plan = await project.flow("plan", "--json", "-p", "v=2", "train@seed=2");
    const { tasks } = JSON.parse(plan.stdout) as { tasks: { task: string; reasons: string[] }[] };
    expect(tasks.slice(0, 2)).toMatchObject([
      { task: "raw", reasons: ["raw.bin was removed after its last use, and prep needs it again"] },
      {
        task: "prep",
        reasons: [
          "prep was removed after its last use, and train@seed=2 needs it again",
          "raw runs first and may change what it needs",
        ],
      },
    ]);
    expect((await project.flow("run", "-q", "-p", "v=2")).code).toBe(0);
    expect(there(project, "raw.bin", "prep", "m2.txt")).toEqual(["m2.txt"]);
  });

  it("is missed by name when its maker is left out", async () => {
    const project = projectFolder({ "flow.yaml": CHAIN });
    await project.flow("run", "-q");
    const { code, stderr } = await project.flow("run", "--only", "train@seed=1", "-p", "v=2");
    expect(code).toBe(1);
    expect(stderr).toContain(
      "`prep` was removed after its last use, and `train@seed=1` needs it again; run `prep` too, and it is made again",
    );
  });

  it("is kept when it was edited by hand, and made anew when somebody else removed it", async () => {
    const project = projectFolder({ "flow.yaml": CHAIN.replace("cat prep/x", "cat prep/nothing") });
    expect((await project.flow("run", "-q", "prep")).code).toBe(0);
    project.write("prep/x", "edited");
    project.write("flow.yaml", CHAIN);
    expect((await project.flow("run", "-q")).code).toBe(0);
    expect(there(project, "prep/x")).toEqual(["prep/x"]);
  });
});
