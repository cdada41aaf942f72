import { describe, expect, it } from "vitest";
import { projectFolder, SMALL } from "../project-folder.ts";

describe("flow list", () => {
  it("shows a matrix as one line and leaves hidden tasks out", async () => {
    const { flow } = projectFolder({ "flow.yaml": SMALL });
    expect(await flow("list")).toEqual({
      code: 0,
      stdout: `prep           Make the data  #data
train   ×2 lr  Train with …
report
`,
      stderr: "",
    });
  });

  it("shows members, and hidden tasks when asked", async () => {
    const { flow } = projectFolder({ "flow.yaml": SMALL });
    expect(
      (await flow("list", "--expand", "--all")).stdout,
    ).toBe(`prep           Make the data  #data
train@lr=0.1   Train with 0.1
train@lr=1e-3  Train with 1e-3
report
tidy
`);
    expect((await flow("list", "tidy")).stdout).toBe("tidy\n");
    expect((await flow("list", "--expand", "train@lr=1e-3")).stdout).toBe(
      "train@lr=1e-3  Train with 1e-3\n",
    );
  });

  it("gives JSON with the values as they were written", async () => {
    const { flow } = projectFolder({ "flow.yaml": SMALL });
    expect(JSON.parse((await flow("list", "--json", "train@lr=1e-3")).stdout)).toEqual([
      {
        id: "train@lr=1e-3",
        template: "train",
        axes: { lr: "1e-3" },
        desc: "Train with 1e-3",
        tags: [],
        aliases: [],
        hidden: false,
        file: "flow.yaml",
        backend: "local",
        targets: ["model-1e-3.txt"],
      },
    ]);
  });
});

describe("flow show", () => {
  it("shows what became of a definition", async () => {
    const { flow } = projectFolder({ "flow.yaml": SMALL });
    const { stdout } = await flow("show", "train@lr=0.1", "-p", "words=7");
    expect(stdout.replace(/[0-9a-f]{16}/, "KEY")).toBe(`train@lr=0.1  flow.yaml:9
  desc        Train with 0.1
  deps        data.txt
  targets     model-0.1.txt
  actions     cp data.txt model-0.1.txt
  params      words = 7
              lr = 0.1
  resources   cpus = 2
              mem = 1 GB
  stop        SIGTERM, then 30s
  key         KEY
`);
  });

  it("gives JSON without offsets into files", async () => {
    const { flow } = projectFolder({ "flow.yaml": SMALL });
    const { stdout } = await flow("show", "prep", "--json");
    const [task] = JSON.parse(stdout) as [Record<string, unknown>];
    expect(task).toMatchObject({ id: "prep", line: 4, tags: ["data"] });
    expect(stdout).not.toContain('"span"');
  });
});

describe("flow graph", () => {
  it("shows what each template needs", async () => {
    const { flow } = projectFolder({ "flow.yaml": SMALL });
    expect((await flow("graph")).stdout).toBe(`prep
train ×2  ◄ prep
tidy
report    ◄ train, tidy (order)
`);
  });

  it("shows members when asked, and only what a selection needs", async () => {
    const { flow } = projectFolder({ "flow.yaml": SMALL });
    expect((await flow("graph", "--expand", "train@lr=0.1")).stdout).toBe(
      "prep ──► train@lr=0.1\n",
    );
  });

  it("tells many members of one template as their number", async () => {
    const { flow } = projectFolder({ "flow.yaml": SMALL.replace("[0.1, 1e-3]", "1..5") });
    expect((await flow("graph", "--expand", "report")).stdout).toContain(
      "report      ◄ train ×5, tidy (order)\n",
    );
  });

  it("gives DOT with the order as dashes", async () => {
    const { flow } = projectFolder({ "flow.yaml": SMALL });
    expect((await flow("graph", "--format", "dot", "--expand")).stdout).toBe(`digraph flow {
  rankdir=LR;
  node [shape=box, style=rounded];
  "prep" [label="prep"];
  "train@lr=0.1" [label="train@lr=0.1"];
  "train@lr=1e-3" [label="train@lr=1e-3"];
  "tidy" [label="tidy"];
  "report" [label="report"];
  "prep" -> "train@lr=0.1";
  "prep" -> "train@lr=1e-3";
  "train@lr=0.1" -> "report";
  "train@lr=1e-3" -> "report";
  "tidy" -> "report" [style=dashed];
}
`);
  });

  it("gives Mermaid in which no name can be markup", async () => {
    const { flow } = projectFolder({
      "flow.yaml": `version: 1
tasks:
  t:
    matrix: { x: ['"]<b>'] }
    actions: ["true"]
  u: { after: ["t"], actions: ["true"] }
`,
    });
    expect((await flow("graph", "--format", "mermaid", "--expand")).stdout).toBe(`flowchart LR
  n0["t#64;x#61;#37;22#37;5D#37;3Cb#37;3E"]
  n1["u"]
  n0 -.-> n1
`);
  });

  it("gives JSON", async () => {
    const { flow } = projectFolder({ "flow.yaml": SMALL });
    expect(JSON.parse((await flow("graph", "--json", "train")).stdout)).toEqual({
      nodes: [
        { name: "prep", tasks: ["prep"], targets: ["data.txt"], backend: "local" },
        {
          name: "train",
          tasks: ["train@lr=0.1", "train@lr=1e-3"],
          targets: ["model-0.1.txt", "model-1e-3.txt"],
          backend: "local",
        },
      ],
      edges: [{ from: "prep", to: "train", orderOnly: false }],
    });
  });
});

describe("flow check", () => {
  it("says that all is well", async () => {
    const { flow } = projectFolder({ "flow.yaml": SMALL });
    expect(await flow("check")).toEqual({
      code: 0,
      stdout: "",
      stderr: "flow.yaml: 5 tasks, no errors\n",
    });
  });

  it("points into the file and exits with 2", async () => {
    const { flow } = projectFolder({
      "flow.yaml": SMALL.replace("targets: [data", "target: [data"),
    });
    const { code, stdout, stderr } = await flow("check");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("flow.yaml:7:5: error: ");
    expect(stderr).toContain("  7 |     target: [data.txt]\n    |     ^^^^^^");
    expect(stderr).not.toContain("\u001b");
  });

  it("gives its findings as JSON on stdout", async () => {
    const { flow } = projectFolder({
      "flow.yaml": SMALL.replace("targets: [data", "target: [data"),
    });
    const { code, stdout, stderr } = await flow("check", "--json");
    expect({ code, stderr }).toEqual({ code: 2, stderr: "" });
    const report = JSON.parse(stdout) as { ok: boolean; diagnostics: object[] };
    expect(report.ok).toBe(false);
    expect(report.diagnostics[0]).toMatchObject({
      severity: "error",
      file: "flow.yaml",
      line: 7,
      column: 5,
    });
  });

  it("colours its findings when told to", async () => {
    const { flow } = projectFolder({ "flow.yaml": "version: 1\ntasks: 3\n" });
    expect((await flow("check", "--color", "always")).stderr).toContain("\u001b[1;31merror");
  });

  it("refuses a parameter without a value", async () => {
    const { flow } = projectFolder({ "flow.yaml": SMALL });
    expect(await flow("check", "-p", "words")).toEqual({
      code: 2,
      stdout: "",
      stderr: "flow: -p takes NAME=VALUE or @FILE, not `words`\n",
    });
  });

  it("says where it looked when there is no flow file, and works in another folder with -C", async () => {
    const { flow, path } = projectFolder({ "sub/flow.yaml": SMALL });
    expect((await flow("check", "-C", "sub")).code).toBe(0);
    const { code, stderr } = await flow("check");
    expect(code).toBe(2);
    expect(stderr).toContain(`there is no flow.yaml and no *.flow.yaml in ${path}`);
  });
});

describe("flow init", () => {
  it("writes a file that is in order, and never writes over one", async () => {
    const { flow } = projectFolder({});
    expect(await flow("init", "new")).toEqual({
      code: 0,
      stdout: "",
      stderr: "Wrote new/flow.yaml. Next: flow plan, then flow run\n",
    });
    expect((await flow("check", "-C", "new")).stderr).toBe("flow.yaml: 4 tasks, no errors\n");
    expect(await flow("init", "new")).toEqual({
      code: 2,
      stdout: "",
      stderr: "flow: new/flow.yaml is there already; it was left as it is.\n",
    });
  });
});

describe("the first flow file", () => {
  it("is drawn from the schema that flow schema prints", async () => {
    const { flow } = projectFolder({});
    const schema = JSON.parse((await flow("schema")).stdout) as Record<string, unknown>;
    expect(schema["$schema"]).toBe("https://json-schema.org/draft/2020-12/schema");
    expect(Object.keys(schema["properties"] as object)).toContain("tasks");
  });
});

describe("backends of a flow file", () => {
  const withBackend = (block: string): string => `version: 1
backends:
  mine: ${block}
tasks:
  a: { actions: ["true"], backend: mine }
`;
  const plugin = (apiVersion: number): string => `export const backend = {
  apiVersion: ${apiVersion},
  type: "toy",
  parseOptions: (input) => input.speed === "fast"
    ? { ok: true, value: input }
    : { ok: false, error: [{ path: ["speed"], message: "expected fast, found " + input.speed }] },
  parseTaskOptions: (input) => ({ ok: true, value: input }),
  open: async () => ({ ok: false, error: "this toy cannot be opened." }),
};
`;
  const toy = (apiVersion: number) => ({
    "node_modules/toy/package.json": JSON.stringify({
      name: "toy",
      type: "module",
      exports: { default: "./index.js" },
    }),
    "node_modules/toy/index.js": plugin(apiVersion),
  });

  it("are checked by their plug-in, with a place in the file", async () => {
    const { flow } = projectFolder({
      "flow.yaml": withBackend("{ use: toy, options: { speed: slow } }"),
      ...toy(1),
    });
    const { code, stderr } = await flow("check");
    expect(code).toBe(2);
    expect(stderr).toContain("flow.yaml:3:39: error: ");
    expect(stderr).toContain("`backends.mine.speed`: expected fast, found slow");
  });

  it("pass when the plug-in agrees", async () => {
    const { flow } = projectFolder({
      "flow.yaml": withBackend("{ use: toy, options: { speed: fast } }"),
      ...toy(1),
    });
    expect(await flow("check")).toMatchObject({ code: 0 });
  });

  it.each([
    [
      {},
      "it is none of local, gpu, slurm, azure-batch, and there is no package `toy` to be found from ROOT; run npm install there.",
    ],
    [
      toy(7),
      "the package `toy` speaks version 7 of the backend interface, this flow speaks version 1; update flow.",
    ],
    [
      { ...toy(1), "node_modules/toy/index.js": "export const other = 1;" },
      "the package `toy` is no backend: it exports no `backend` made with defineBackend().",
    ],
    [
      { ...toy(1), "node_modules/toy/index.js": "export const backend = {apiVersion: 1};" },
      "the backend of the package `toy` lacks parseOptions, parseTaskOptions, open().",
    ],
    [
      { ...toy(1), "node_modules/toy/index.js": "throw new Error('boom');" },
      "the package `toy` (ROOT/node_modules/toy) failed to load: boom",
    ],
    [
      {
        ...toy(1),
        "node_modules/toy/package.json": JSON.stringify({
          name: "toy",
          exports: { import: "./index.js" },
        }),
      },
      "the `exports` of the package `toy` need a `default` condition.",
    ],
  ])("say why a package cannot be used (%#)", async (files, message) => {
    const { flow, path } = projectFolder({
      "flow.yaml": withBackend("{ use: toy, options: { speed: fast } }"),
      ...files,
    });
    const { code, stderr } = await flow("check");
    expect(code).toBe(2);
    expect(stderr.replaceAll(path, "ROOT")).toContain(`\`backends.mine\`: ${message}`);
  });
});
