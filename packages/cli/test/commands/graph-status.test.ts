import { describe, expect, it } from "vitest";
import { projectFolder, SMALL } from "../project-folder.ts";

const BROKEN = SMALL.replace('"cat ${{ deps.models }} > ${{ target }}"', '"exit 3"');

describe("flow graph --status", () => {
  it("shows beside each node how its tasks stand", async () => {
    const { flow } = projectFolder({ "flow.yaml": BROKEN });
    expect((await flow("run", "-q")).code).toBe(1);
    expect((await flow("graph", "--status")).stdout).toBe(`prep      = fresh
train ×2  = 2 fresh  ◄ prep
tidy      · stale
report    ✖ failed  ◄ train, tidy (order)
`);
    expect((await flow("graph", "--status", "train")).stdout).toBe(
      "prep = fresh ──► train ×2 = 2 fresh\n",
    );
  });

  it("marks a node with the state of its tasks that matters most", async () => {
    const { flow, write } = projectFolder({ "flow.yaml": SMALL });
    expect((await flow("run", "-q")).code).toBe(0);
    write("model-0.1.txt", "");
    write("flow.yaml", SMALL.replace("[0.1, 1e-3]", "[0.1, 1e-3, 1]"));
    expect((await flow("graph", "--status")).stdout).toContain(
      "train ×3  · 1 stale  = 2 fresh  ◄ prep\n",
    );
  });

  it("colours the nodes of DOT and Mermaid, and counts in JSON", async () => {
    const { flow } = projectFolder({ "flow.yaml": BROKEN });
    expect((await flow("run", "-q")).code).toBe(1);
    const dot = (await flow("graph", "--status", "--format", "dot")).stdout;
    expect(dot).toContain(
      '  "report" [label="report\\n✖ failed", style="rounded,filled", fillcolor="#fbdcdc", color="#b3261e"];\n',
    );
    const mermaid = (await flow("graph", "--status", "--format", "mermaid")).stdout;
    expect(mermaid).toContain('  n3["report<br/>#10006; failed"]:::bad\n');
    expect(mermaid).toContain("  classDef bad fill:#fbdcdc,stroke:#b3261e\n");
    const { nodes } = JSON.parse((await flow("graph", "--status", "--json")).stdout) as {
      nodes: { name: string; status: object }[];
    };
    expect(Object.fromEntries(nodes.map(({ name, status }) => [name, status]))).toEqual({
      prep: { fresh: 1 },
      train: { fresh: 2 },
      tidy: { stale: 1 },
      report: { failed: 1 },
    });
  });
});

describe("flow graph --format svg", () => {
  it("draws nodes behind what they need, with their states, and no name can be markup", async () => {
    const { flow } = projectFolder({
      "flow.yaml": `version: 1
tasks:
  make: { targets: [a], actions: ["true"] }
  use: { matrix: { x: ["<b>&"] }, deps: [a], actions: ["true"] }
  last: { after: [use], actions: ["true"] }
`,
    });
    const { code, stdout } = await flow("graph", "--expand", "--status", "--format", "svg");
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" width="[\d.]+" height="82"/,
    );
    expect(stdout).not.toMatch(/<b>|NaN|undefined/);
    const places = [...stdout.matchAll(/<rect x="([\d.]+)" y="([\d.]+)"/g)].map(([, x, y]) => [
      Number(x),
      Number(y),
    ]);
    expect(places.map(([, y]) => y)).toEqual([16, 16, 16]);
    expect(places.map(([x]) => x)).toEqual(
      places.map(([x]) => x).toSorted((a, b) => (a ?? 0) - (b ?? 0)),
    );
    expect(stdout.match(/<path d="M[^>]*marker-end/g)).toHaveLength(2);
    expect(stdout.match(/stroke-dasharray/g)).toHaveLength(1);
    expect(stdout).toContain(">· stale</text>");
  });
});
