import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { projectFolder } from "../project-folder.ts";

describe("a project of several folders", () => {
  it("runs commands of an included file in its folder, with paths that work there", async () => {
    const { flow, path, write } = projectFolder({
      "flow.yaml": `include: { s: sub/flow.yaml }
tasks:
  top: { deps: [sub/y.txt], targets: [top.txt], actions: ["cat \${{ deps }} > \${{ target }}"] }
`,
    });
    write(
      "sub/flow.yaml",
      `tasks:
  x: { matrix: { n: 1..2 }, targets: ["x\${{ matrix.n }}.txt"], actions: ["echo \${{ matrix.n }} > \${{ target }}"] }
  y:
    cwd: deep
    deps: { all: ["x*.txt"] }
    targets: [y.txt]
    actions: ["cat \${{ deps.all }} > \${{ target }}"]
`,
    );
    write("sub/deep/here", "");
    expect(await flow("run", "-q")).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(readFileSync(join(path, "top.txt"), "utf8")).toBe("1\n2\n");
  });

  it("keeps its state, and what tells that nothing is to do, under its root", async () => {
    const { flow, path, write } = projectFolder({});
    write(
      "conf/flow.yaml",
      'root: ../proj\ntasks:\n  a: { targets: [../proj/a.txt], actions: ["echo > ${{ target }}"] }\n',
    );
    write("proj/here", "");
    const run = () => flow("run", "-C", "conf");
    expect((await run()).code).toBe(0);
    expect((await run()).stderr).toMatch(/^flow .*\n✔ nothing to do: 1 task fresh · /);
    // From the note alone: no run was begun.
    expect((await run()).stderr).toBe("✔ nothing to do: 1 task fresh\n");
    expect(readdirSync(join(path, "conf"))).toEqual(["flow.yaml"]);
    expect(readdirSync(join(path, "proj")).sort()).toEqual([".flow", "a.txt", "here"]);
  });
});
