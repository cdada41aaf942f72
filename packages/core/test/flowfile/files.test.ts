import { describe, expect, test } from "vitest";
import { findFlowFile } from "../../src/flowfile/find.ts";
import { MemoryFileSystem } from "../../src/testing/memory-file-system.ts";
import { type Given, load, loadFiles, project, shown, task } from "./loading.ts";

describe("the flow file", () => {
  const fileSystem = new MemoryFileSystem();
  for (const path of [
    "/a/flow.yaml",
    "/a/x.flow.yaml",
    "/b/x.flow.yaml",
    "/c/x.flow.yaml",
    "/c/y.flow.yaml",
  ]) {
    fileSystem.makeDirectory(path.replace(/\/[^/]*$/, "/sub/sub"));
    fileSystem.write(path, "");
  }

  test("is flow.yaml, else the only *.flow.yaml, here or above", () => {
    expect(findFlowFile("/a", fileSystem)).toMatchObject({ kind: "found", file: "/a/flow.yaml" });
    expect(findFlowFile("/b/sub/sub", fileSystem)).toMatchObject({ file: "/b/x.flow.yaml" });
  });

  test("is asked for when there are several", () => {
    expect(findFlowFile("/c/sub", fileSystem)).toMatchObject({
      kind: "several",
      files: ["/c/x.flow.yaml", "/c/y.flow.yaml"],
    });
    expect(shown(loadFiles({ "a.flow.yaml": "", "b.flow.yaml": "" }))).toBe(
      `error: there are several flow files in /p, and none is called flow.yaml: a.flow.yaml, b.flow.yaml [ambiguous-flow-file]
  fix: Say which one with -f.`,
    );
  });

  test("is missing when there is none up to the root", () => {
    expect(findFlowFile("/d/e", fileSystem)).toEqual({
      kind: "none",
      searched: ["/d/e", "/d", "/"],
    });
    expect(shown(loadFiles({ "x.txt": "" }))).toBe(
      `error: there is no flow.yaml and no *.flow.yaml in /p or in a folder above it [no-flow-file]
  fix: Name a file with -f, go to the project with -C, or write one with \`flow init\`.`,
    );
  });

  test("that cannot be read says why", () => {
    const result = load("tasks: {a: }", { file: "/p" });
    expect(shown(result)).toBe(
      "error: the flow file `p` cannot be read: it is a folder [no-flow-file]",
    );
  });
});

describe("a file from another system", () => {
  test("may have a byte order mark and Windows line ends", () => {
    const text =
      "\ufefftasks:\r\n  a:\r\n    actions:\r\n      - |\r\n        x\r\n        y ${{ params.z }}\r\n";
    expect(
      shown(load(text)),
    ).toBe(`flow.yaml:6:11: error: there is no parameter \`z\` [unknown-param]
  6 |         y \${{ params.z }}
    |           ^^^^^^^^^^^^^^^
  fix: Declare it: \`params: { z: … }\`.`);
    expect(task(text.replace(" ${{ params.z }}", ""), "a").actions[0]?.text).toBe("x\ny\n");
  });
});

describe("the root", () => {
  test("is the folder of the flow file", () => {
    expect(project("tasks: {a: {deps: x}}").root).toBe("/p");
  });

  test("may be another folder, to which all paths become relative", () => {
    const files = { "sub/flow.yaml": "root: ..\ntasks: {a: {deps: [x, ../y, /p/z], targets: t}}" };
    const [a] = loadFiles(files, { directory: "/p/sub" }).project?.tasks ?? [];
    expect(a?.deps.map((dep) => dep.kind === "file" && dep.path)).toEqual(["sub/x", "y", "z"]);
    expect(a).toMatchObject({ cwd: "sub", file: "sub/flow.yaml" });
    expect(a?.targets[0]?.path).toBe("sub/t");
  });
});

describe("an include", () => {
  const files = {
    "data/d.yaml":
      "env: {D: '1'}\nshell: bash\ndefaults: {tags: data}\npools: {net: 2}\nsecrets: KEY\ntasks:\n  get: {targets: raw/, actions: [fetch], pools: net}\n  use: {deps: [{task: get}], after: get}\n",
  };
  const text =
    "include: {d: data/d.yaml}\nenv: {T: '1'}\ntasks:\n  all: {deps: [{task: d/get}], after: d/use}\n";

  test("brings its tasks under its namespace, with its own paths, env, shell and defaults", () => {
    const get = task(text, "d/get", { files });
    expect(get).toMatchObject({
      file: "data/d.yaml",
      cwd: "data",
      env: { D: "1" },
      tags: ["data"],
      slug: "d%2Fget",
      template: "d/get",
    });
    expect(get.targets[0]?.path).toBe("data/raw");
    expect(get.actions[0]?.shell).toBe("bash");
    expect(task(text, "d/use", { files }).after).toEqual(["d/get"]);
    expect(task(text, "all", { files })).toMatchObject({
      env: { T: "1" },
      after: ["d/use"],
      tags: [],
    });
  });

  test("adds its pools and secrets to the project", () => {
    expect(project(text, { files })).toMatchObject({ pools: { net: 2 }, secrets: ["KEY"] });
  });

  test("may include further files", () => {
    const nested = {
      "b/b.yaml": "include: {c: ../c.yaml}\ntasks: {x: {after: c/y}}",
      "c.yaml": "tasks: {y: {targets: t}}",
    };
    const found = project("include: {b: b/b.yaml}\ntasks: {a: {after: b/c/y}}", { files: nested });
    expect(found.tasks.map(({ id }) => id)).toEqual(["a", "b/x", "b/c/y"]);
    expect(found.tasks[2]?.targets[0]?.path).toBe("t");
  });
});

describe("the environment", () => {
  test("comes from dotenv files, then the file, then the task", () => {
    const files = {
      ".env":
        "# comment\nexport A=1\nB = two words # note\nC='single $x'\nD=\"a\\nb\" # note\n\nE=\n",
    };
    const text =
      "dotenv: .env\nenv: {A: 'x${{ env.A }}', F: '${{ env.HOME }}'}\ntasks: {a: {env: {E: set}}}";
    expect(task(text, "a", { files, env: { HOME: "/root" } }).env).toEqual({
      A: "x1",
      B: "two words",
      C: "single $x",
      D: "a\nb",
      E: "set",
      F: "/root",
    });
  });

  test("keeps secrets of dotenv files out of the project", () => {
    const result = load("dotenv: .env\nsecrets: [KEY]\ntasks: {a: }", {
      files: { ".env": "KEY=hush\nA=1\n" },
    });
    expect(result.secretValues).toEqual({ KEY: "hush" });
    expect(JSON.stringify(result.project)).not.toContain("hush");
  });
});

describe("what the result depends on", () => {
  test("is every file that was read or missing, and every variable that was looked at", () => {
    const result = load(
      "include: {d: d.yaml}\ntasks: {a: {desc: '${{ env.SET }} ${{ env.FILE }}'}}\nenv: {FILE: x}",
      { files: { "d.yaml": "dotenv: gone.env\ntasks: {b: }" }, env: { SET: "1", OTHER: "2" } },
    );
    expect(result.inputs.files.map(({ path, digest }) => [path, digest?.length])).toEqual([
      ["/p/flow.yaml", 64],
      ["/p/d.yaml", 64],
      ["/p/gone.env", undefined],
    ]);
    expect(result.inputs.env).toEqual({ SET: "1" });
  });
});

describe("a flow file found by looking", () => {
  test("depends on those that would be taken first", () => {
    const result = loadFiles(
      { "x.flow.yaml": "tasks: {a: {}}", "sub/y": "" },
      { directory: "/p/sub" },
    );
    expect(result.inputs.files.map(({ path, digest }) => [path, digest === undefined])).toEqual([
      ["/p/sub/flow.yaml", true],
      ["/p/flow.yaml", true],
      ["/p/x.flow.yaml", false],
    ]);
  });
});

describe("a further load of the same project", () => {
  const included = "tasks: {b: {actions: [b]}}\n";

  test("reads nothing again that is as it was", () => {
    const text = "include: {n: n.yaml}\ntasks: {a: {after: [n/b], actions: [a]}}\n";
    const known: NonNullable<Given["known"]> = new Map();
    const files = { "n.yaml": included };
    const first = load(text, { known, files });
    const maps = [...known.values()].map(({ map }) => map);
    const second = load(text, { known, files });
    expect(maps).toHaveLength(2);
    expect([...known.values()].map(({ map }) => map)).toEqual(maps);
    expect(known.get("/p/flow.yaml")?.map).toBe(maps[0]);
    expect(second).toEqual(first);
    expect(load(text.replace("[a]", "[c]"), { known, files }).project?.tasks[0]?.actions).toEqual(
      load(text.replace("[a]", "[c]"), { files }).project?.tasks[0]?.actions,
    );
  });

  test("says again what there is to say", () => {
    const known: NonNullable<Given["known"]> = new Map();
    const wrong = "tasks: {a: {action: [a]}}\n";
    const said = shown(load(wrong, { known }));
    expect(known.size).toBe(0);
    expect(shown(load(wrong, { known }))).toBe(said);
    expect(said).toContain("unknown key `action`");
  });
});

describe("backends", () => {
  test("are a type with options, or a package", () => {
    const text =
      "backends:\n  hpc: {type: slurm, partition: '${{ params.q }}'}\n  k: {use: '@acme/k8s', options: {n: 1}}\nparams: {q: gpu}\ntasks: {a: {backend: hpc}}\n";
    expect(project(text).backends).toEqual([
      { name: "hpc", use: "slurm", options: { partition: "gpu" } },
      { name: "k", use: "@acme/k8s", options: { n: 1 } },
    ]);
  });

  test("check their own options, with places", () => {
    const result = load(
      "backends:\n  hpc: {type: slurm, partition: [a, 3]}\ntasks:\n  a: {slurm: {qos: 3}}\n",
      {
        checkBackend: {
          options: () => [{ path: ["partition", 1], message: "must be text" }],
          taskOptions: (use, options) => [
            { path: ["qos"], message: `${use} has no qos ${JSON.stringify(options)}` },
          ],
        },
      },
    );
    expect(
      shown(result),
    ).toBe(`flow.yaml:4:20: error: \`slurm.qos\`: slurm has no qos {"qos":3} [backend-options]
  4 |   a: {slurm: {qos: 3}}
    |                    ^

flow.yaml:2:37: error: \`backends.hpc.partition.1\`: must be text [backend-options]
  2 |   hpc: {type: slurm, partition: [a, 3]}
    |                                     ^`);
  });
});

describe("the project", () => {
  test("has the keys of the top of the file", () => {
    const text =
      "version: 1\nname: n\ndescription: d\nworkspace: w\nexperiment: e\njobs: 3\ndefault: [a, 'tag:x']\nignore: '*.tmp'\ncode: {include: a, omit: [b]}\ncompat: []\ntasks: {a: }\n";
    expect(project(text)).toMatchObject({
      name: "n",
      description: "d",
      workspace: "w",
      experiment: "e",
      jobs: 3,
      default: ["a", "tag:x"],
      ignore: ["*.tmp"],
      code: { include: ["a"], omit: ["b"] },
      compat: [],
      sources: ["flow.yaml"],
    });
    expect(project("tasks: {a: }").compat).toEqual(["xt", "batchai"]);
  });

  test("is the same read as YAML and as JSON", () => {
    const data = {
      params: { lr: 0.1, n: [1, 2] },
      tasks: {
        a: { targets: { x: "a/x" }, actions: ["touch ${{ target }}", ["echo", 1, true]] },
        b: { matrix: { s: [1, 2] }, deps: [{ task: "a" }], actions: ["x ${{ matrix.s }}"] },
      },
    };
    const strip = (text: string): unknown =>
      JSON.parse(JSON.stringify(project(text)).replace(/"span":\{[^}]*\}/g, '"span":0'));
    const json = JSON.stringify(data, undefined, 2);
    expect(strip(`# not JSON\n${json}`)).toEqual(strip(json));
  });
});
