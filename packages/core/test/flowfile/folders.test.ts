// Paths in templates are those a program can use where it runs.

import { describe, expect, test } from "vitest";
import { load, shown, task } from "./loading.ts";

const included = (text: string) =>
  task("include: {s: sub/flow.yaml}\ntasks: {}\n", "s/x", { files: { "sub/flow.yaml": text } });

describe("a path in a template", () => {
  test("is seen from the folder of an included file, whose commands run there", () => {
    const found = included(
      'tasks:\n  x: {deps: [in.txt, ../up.txt], targets: [x.txt], env: {T: "${{ target }}"}, actions: ["cat ${{ deps }} > ${{ target }}"]}\n',
    );
    expect(found).toMatchObject({ cwd: "sub", env: { T: "x.txt" } });
    expect(found.targets[0]?.path).toBe("sub/x.txt");
    expect(found.actions[0]?.text).toBe("cat in.txt ../up.txt > x.txt");
  });

  test("is seen from the `cwd` of the task, or of the action", () => {
    const { actions, fresh } = task(
      `tasks:
  a:
    cwd: work
    deps: [in.txt]
    targets: [out/a.txt]
    fresh: test -e \${{ target }}
    actions:
      - make \${{ deps }} \${{ target }}
      - {exec: [cp, "\${{ deps }}", "\${{ target }}"], cwd: out}
      - {run: "ls \${{ target }}", cwd: .}
`,
      "a",
    );
    expect(actions.map(({ text, argv }) => (argv.length > 0 ? argv : text))).toEqual([
      "make ../in.txt ../out/a.txt",
      ["cp", "../in.txt", "a.txt"],
      "ls out/a.txt",
    ]);
    expect(fresh).toBe("test -e ../out/a.txt");
  });

  test("leads into the root again from a file beside it", () => {
    const result = load(
      'root: ../proj\ntasks:\n  a: {targets: [../proj/a.txt], actions: ["x > ${{ target }}"]}\n',
    );
    expect(shown(result)).toBe("");
    const [found] = result.project?.tasks ?? [];
    expect(found?.targets[0]?.path).toBe("a.txt");
    expect(found?.actions[0]?.text).toBe("x > ../proj/a.txt");
  });
});
