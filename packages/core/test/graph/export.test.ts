import { describe, expect, test } from "vitest";
import { type GraphFormat, type RenderOptions, renderGraph } from "../../src/graph/export.ts";
import { select } from "../../src/graph/select.ts";
import { taskId } from "../../src/model/ids.ts";
import type { Task } from "../../src/model/task.ts";
import { graphOf, task } from "./sketch.ts";

const train = (seed: string): Task =>
  task(`train@seed=${seed}`, {
    template: "train",
    axes: { seed },
    deps: ["data"],
    targets: [`out/${seed}`],
  });

const tasks: readonly Task[] = [
  task("fetch", { targets: ["data"] }),
  train("0"),
  train("1"),
  task("report", { deps: ["out/"], after: [taskId("fetch")] }),
];

function render(
  format: GraphFormat,
  options: Omit<RenderOptions, "format"> = {},
  of: readonly Task[] = tasks,
): string {
  const graph = graphOf(of);
  const selection = select(graph, []);
  if (!selection.ok) throw new Error("unreachable");
  return renderGraph(graph, selection.value.tasks, { format, ...options });
}

const status = ({ id }: Task): string | undefined =>
  id === "report" ? undefined : id === "train@seed=1" ? "stale" : "fresh";

describe("a graph", () => {
  test("as text has one line for each template with what it needs", () => {
    expect(render("text")).toBe("fetch\ntrain ×2 ← fetch\nreport ← [fetch], train\n");
  });

  test("as text can show every member and its status", () => {
    expect(render("text", { expand: true, status })).toBe(
      [
        "fetch (fresh)",
        "train@seed=0 (fresh) ← fetch",
        "train@seed=1 (stale) ← fetch",
        "report ← [fetch], train@seed=0, train@seed=1",
        "",
      ].join("\n"),
    );
  });

  test("as dot is what Graphviz reads", () => {
    expect(render("dot", { status })).toBe(
      [
        "digraph flow {",
        "  rankdir=LR;",
        "  node [shape=box];",
        '  "fetch" [label="fetch (fresh)"];',
        '  "train" [label="train ×2 (1 fresh, 1 stale)"];',
        '  "report" [label="report"];',
        '  "fetch" -> "train";',
        '  "fetch" -> "report" [style=dashed];',
        '  "train" -> "report";',
        "}",
        "",
      ].join("\n"),
    );
  });

  test("as Mermaid numbers its nodes", () => {
    expect(render("mermaid")).toBe(
      [
        "flowchart LR",
        '  n0["fetch"]',
        '  n1["train ×2"]',
        '  n2["report"]',
        "  n0 --> n1",
        "  n0 -.-> n2",
        "  n1 --> n2",
        "",
      ].join("\n"),
    );
  });

  test("as JSON has nodes and edges", () => {
    expect(JSON.parse(render("json", { status }))).toEqual({
      nodes: [
        { name: "fetch", members: 1, status: { fresh: 1 } },
        { name: "train", members: 2, status: { fresh: 1, stale: 1 } },
        { name: "report", members: 1 },
      ],
      edges: [
        { from: "fetch", to: "train", orderOnly: false },
        { from: "fetch", to: "report", orderOnly: true },
        { from: "train", to: "report", orderOnly: false },
      ],
    });
  });

  test("with hostile names stays what it is", () => {
    const hostile = [task('a"];\n\u001b[2J\\ --> <b>&#`\u202e')];
    expect(render("text", {}, hostile)).toBe('a"];??[2J\\ --> <b>&#`?\n');
    expect(render("dot", {}, hostile)).toContain('  "a\\"];??[2J\\\\ --> <b>&#`?" [label=');
    expect(render("mermaid", {}, hostile)).toBe(
      'flowchart LR\n  n0["a#34;];??[2J#92; --#62; #60;b#62;#38;#35;#96;?"]\n',
    );
    expect(JSON.parse(render("json", {}, hostile))).toMatchObject({
      nodes: [{ name: hostile[0]?.id }],
    });
  });

  test("with nothing in it is empty", () => {
    expect(render("text", {}, [])).toBe("");
    expect(render("json", {}, [])).toBe('{\n  "nodes": [],\n  "edges": []\n}\n');
  });
});
