import { describe, expect, test } from "vitest";
import type { Task } from "../../src/model/task.ts";
import { load, project, shown, task } from "./loading.ts";

/** The task `a` with these keys. */
const only = (keys: string, top = ""): Task =>
  task(`${top}\ntasks:\n  a:\n${keys.replace(/^(?=.)/gm, "    ")}\n`, "a");

describe("a task", () => {
  test("without keys groups others and has the defaults of everything", () => {
    const { key, ...rest } = task("tasks: {a: }", "a");
    expect(key).toMatch(/^[0-9a-f]{16}$/);
    expect(rest).toMatchObject({
      id: "a",
      template: "a",
      axes: {},
      slug: "a",
      actions: [],
      cwd: ".",
      backend: "local",
      retries: { max: 0 },
      requeue: { mode: "auto", codes: [], max: undefined, delayMs: 0 },
      stop: { signal: "SIGTERM", graceMs: 30_000 },
      clean: { kind: "targets" },
      checkpoint: undefined,
    });
  });

  test("keeps its key when the file around it changes and gets another in another file", () => {
    const first = task("tasks: {a: }", "a").key;
    expect(task("name: x\ntasks: {b: , a: {desc: y}}", "a").key).toBe(first);
    const other = load("", { file: "/p/x.yaml", files: { "x.yaml": "tasks: {a: }" } });
    expect(other.project?.tasks[0]?.key).not.toBe(first);
  });

  test.each([
    "",
    "env: {E: '1'}\nparams: {p: 2}\nshell: bash",
    "defaults: {actions: [make], deps: [w]}",
    "defaults: {timeout: 5s, env: {T: '${{ task.name }}'}}",
    "secrets: [S]\njobs: 3\npools: {net: 2}",
  ])("is the same whichever tasks stand before it: %s", (top) => {
    const before = "a: {desc: A, deps: [q], targets: [r], actions: [s, t]}";
    const other = "o: {timeout: 7s, always: true, tags: [x]}";
    const plain = `b: {
      desc: "B ${"${{ task.name }}"}", deps: {d: x, e: y}, targets: {t: z},
      actions: [{run: cat, stdin: v}, "cp ${"${{ deps.d }} ${{ targets.t }}"}"]}`;
    const without = (tasks: string): unknown =>
      JSON.parse(
        JSON.stringify(task(`${top}\ntasks: {${tasks}}`, "b"), (key, value: unknown) =>
          key === "span" ? undefined : (value ?? null),
        ),
      );
    const alone = without(plain);
    expect(without(`${before}, ${plain}`)).toEqual(alone);
    expect(without(`${other}, ${before}, ${plain}`)).toEqual(alone);
  });

  test("takes single values where lists are meant", () => {
    const found = only("deps: x\ntargets: y\nactions: make\ntags: t\nalias: b", "x-y: 1");
    expect(found.deps.map((dep) => dep.kind === "file" && dep.path)).toEqual(["x"]);
    expect(found.targets[0]?.path).toBe("y");
    expect(found.actions[0]?.text).toBe("make");
    expect(found.tags).toEqual(["t"]);
    expect(found.aliases).toEqual(["b"]);
  });

  test("ignores keys that start with x- everywhere", () => {
    const text = "x-a: 1\ntasks:\n  x-t: {nonsense: 1}\n  a: {x-b: 2, stop: {x-c: 3, grace: 5s}}\n";
    expect(project(text).tasks.map(({ id }) => id)).toEqual(["a"]);
  });
});

describe("defaults", () => {
  const text = `
defaults:
  timeout: 1h
  env: {A: "1", B: "1"}
  resources: {cpus: 2, mem: 1GB}
  stop: {signal: INT}
  tags: [x]
tasks:
  a: {env: {B: "2", C: "3"}, resources: {mem: 2GB}, stop: {grace: 5s}, tags: [y]}
  b: {timeout: 5m}
`;

  test("are what tasks start from; maps are merged, everything else replaced", () => {
    const a = task(text, "a");
    expect(a.timeoutMs).toBe(3_600_000);
    expect(a.env).toEqual({ A: "1", B: "2", C: "3" });
    expect(a.resources).toMatchObject({ cpusMilli: 2_000, memoryBytes: 2e9 });
    expect(a.stop).toEqual({ signal: "SIGINT", graceMs: 5_000 });
    expect(a.tags).toEqual(["y"]);
    expect(task(text, "b")).toMatchObject({ timeoutMs: 300_000, tags: ["x"] });
  });
});

describe("standard input", () => {
  test("is a dep, unless it is one already or the task makes it itself", () => {
    const found = only(
      "deps: [a.txt]\ntargets: [made/]\nactions:\n  - {run: x, stdin: a.txt}\n  - {run: y, stdin: b.txt}\n  - {run: z, stdin: made/c}\n  - {run: n, stdin: /dev/null}",
    );
    expect(found.deps.map((dep) => [dep.kind !== "glob" && dep.path, dep.isInput])).toEqual([
      ["a.txt", undefined],
      ["b.txt", true],
    ]);
  });
});

describe("targets", () => {
  test("are files, or directories with a trailing slash, with normalised paths", () => {
    const { targets } = only(
      "targets: [./a//b.txt, out/, {path: c, nonempty: true, update: true}]",
    );
    expect(targets.map(({ path, kind }) => [path, kind])).toEqual([
      ["a/b.txt", "file"],
      ["out", "directory"],
      ["c", "file"],
    ]);
    expect(targets[2]).toMatchObject({ nonempty: true, update: true, optional: false });
  });

  test("have names in a map, which templates use", () => {
    const found = only(
      "targets: {model: m/, log: {path: l, optional: true, keep: until_used}}\nactions: make ${{ targets.model }} ${{ targets.log }}",
    );
    expect(found.targets.map(({ untilUsed }) => untilUsed)).toEqual([false, true]);
    expect(found.targets.map(({ name, optional }) => [name, optional])).toEqual([
      ["model", false],
      ["log", true],
    ]);
    expect(found.actions[0]?.text).toBe("make m l");
  });

  test("that start with a dash reach a command with ./ in front", () => {
    expect(only("targets: ['-rf']\nactions: ['cat ${{ target }}']").actions[0]?.text).toBe(
      "cat ./-rf",
    );
  });
});

describe("actions", () => {
  const text = `
actions:
  - make all
  - [make, all, 10., true]
  - {run: make, cwd: sub, env: {N: 1e-3}, timeout: 5s, ok_exit: [0, 3], stdin: in.txt, shell: bash}
  - {exec: [make, "a b"]}
  - script: |
      x=1
      make
`;
  const { actions } = only(text);

  test("are shell commands, argument lists and maps", () => {
    expect(actions.map(({ kind }) => kind)).toEqual(["shell", "exec", "shell", "exec", "shell"]);
    expect(actions[1]?.argv).toEqual(["make", "all", "10.", "true"]);
    expect(actions[2]).toMatchObject({
      text: "make",
      cwd: "sub",
      env: { N: "1e-3" },
      timeoutMs: 5_000,
      okExit: [0, 3],
      stdin: "in.txt",
      shell: "bash",
    });
    expect(actions[3]?.argv).toEqual(["make", "a b"]);
    expect(actions[4]?.text).toBe("x=1\nmake\n");
  });

  test("have a recipe that indentation and line ends do not change", () => {
    const one = only("actions:\n  - |\n    if x; then\n      y\n    fi");
    const two = only("actions:\n    - |\n          if x; then  \n            y\n          fi\n\n");
    expect(two.actions[0]?.recipe).toBe(one.actions[0]?.recipe);
    expect(one.actions[0]?.recipe).toBe("if x; then\n  y\nfi");
  });

  test("keep budget parameters out of the recipe", () => {
    const found = only(
      'budget: epochs\nactions:\n  - train ${{ params.epochs }} ${{ params.lr }}\n  - [t, "--e=${{ params.epochs }}"]',
      "params: {epochs: 3, lr: 10.}",
    );
    expect(found.actions.map(({ recipe }) => recipe)).toEqual([
      "train ${{ params.epochs }} 10.",
      '["t","--e=${{ params.epochs }}"]',
    ]);
    expect(found.actions[0]?.text).toBe("train 3 10.");
    expect(found.budgetValues).toEqual({ epochs: "3" });
  });

  test("keep budget parameters out of the recipe of variables, too", () => {
    const found = only(
      'budget: epochs\nenv: {E: "n=${{ params.epochs }}", LR: "${{ params.lr }}"}\nactions:\n  - {run: t, env: {F: "${{ params.epochs }}"}}',
      "params: {epochs: 3, lr: 10.}",
    );
    expect(found.env).toEqual({ E: "n=3", LR: "10." });
    expect(found.envRecipe).toEqual({ E: "n=${{ params.epochs }}" });
    expect(found.actions[0]).toMatchObject({
      env: { F: "3" },
      envRecipe: { F: "${{ params.epochs }}" },
    });
  });

  test("refer to a secret by its variable, so that its value is nowhere", () => {
    const found = task(
      "secrets: [KEY]\ntasks:\n  a:\n    actions: ['curl -H ${{ env.KEY }} \"x ${{ env.KEY }}\"']\n",
      "a",
      { env: { KEY: "hush" } },
    );
    expect(found.actions[0]?.text).toBe('curl -H "${KEY}" "x ${KEY}"');
    expect(JSON.stringify(found)).not.toContain("hush");
  });

  test("name files that are found later by a reference", () => {
    const found = only(
      "deps: {data: ['*.csv'], one: x}\nactions:\n  - cat ${{ deps.data }} ${{ deps.one }}\n  - [cat, \"${{ deps.data }}\"]\n  - cat ${{ deps }}",
    );
    expect(found.actions[0]?.text).toEqual(["cat ", { dep: "data", form: "shell" }, " x"]);
    expect(found.actions[1]?.argv).toEqual(["cat", [{ dep: "data", form: "argv" }]]);
    expect(found.actions[2]?.text).toEqual(["cat ", { dep: "*", form: "shell" }]);
    expect(found.actions[0]?.recipe).toBe("cat ${{ deps.data }} x");
  });

  test("written as a script with an interpreter run from a file", () => {
    const [script] = only(
      "actions:\n  - script: |\n      #!/usr/bin/env python3\n      print('hi')",
    ).actions;
    expect(script?.text).toContain(
      "<<'FLOW_SCRIPT'\n#!/usr/bin/env python3\nprint('hi')\nFLOW_SCRIPT",
    );
    expect(script?.recipe).toBe("#!/usr/bin/env python3\nprint('hi')\n");
  });
});

describe("policy and placement", () => {
  test("retries by cause with a growing wait and escalation", () => {
    expect(
      only(
        'retries: {max: 4, for: [oom, "exit:75"], backoff: 5s..2m, escalate: {oom: {mem: x2, time: 1.5}}}',
      ).retries,
    ).toEqual({
      max: 4,
      causes: ["oom", "exit:75"],
      backoffMs: 5_000,
      backoffMaxMs: 120_000,
      escalate: { oom: { mem: 2, time: 1.5 } },
    });
    expect(only("retries: 3").retries).toMatchObject({ max: 3, causes: [] });
    expect(only("retries: {max: 1, backoff: 10s}").retries).toMatchObject({
      backoffMs: 10_000,
      backoffMaxMs: 10_000,
    });
  });

  test("requeues, time-outs and the stop request", () => {
    const found = only(
      "requeue: always\nrequeue_codes: 7\nmax_requeues: 5\nrequeue_delay: 1m\ntimeout: 90\nhang_after: 01:00:00\nstop: {signal: none}",
    );
    expect(found.requeue).toEqual({ mode: "always", codes: [7], max: 5, delayMs: 60_000 });
    expect(found).toMatchObject({ timeoutMs: 90_000, hangAfterMs: 3_600_000 });
    expect(found.stop.signal).toBe("none");
  });

  test("resources in the units of the machine", () => {
    expect(
      only(
        "resources: {cpus: 1.5, mem: 6GiB, gpus: 0.5, gpu_mem: 4GB, gpu_model: A100, else_cpus: 4, disk: 1TB, time: 30m, nodes: 2, mpi: {processes: 8}}",
      ).resources,
    ).toEqual({
      cpusMilli: 1_500,
      memoryBytes: 6 * 2 ** 30,
      gpusMilli: 500,
      gpuMemoryBytes: 4e9,
      gpuModel: "A100",
      elseCpusMilli: 4_000,
      diskBytes: 1e12,
      timeMs: 1_800_000,
      nodes: 2,
      mpiProcesses: 8,
    });
  });

  test("resources may come from templates", () => {
    const text =
      "tasks: {a: {matrix: {m: [1GB, 2GB]}, resources: {mem: '${{ matrix.m }}', cpus: '${{ params.n }}'}}}\nparams: {n: 3}";
    expect(task(text, "a@m=2GB").resources).toMatchObject({ memoryBytes: 2e9, cpusMilli: 3_000 });
  });

  test("pools by name or with amounts", () => {
    expect(only("pools: {net: 2}", "pools: {net: 3}").pools).toEqual({ net: 2 });
    expect(only("pools: [net, db]", "pools: {net: 3, db: 1}").pools).toEqual({ net: 1, db: 1 });
  });

  test("a declared backend and its own keys, with templates in them", () => {
    const found = task(
      "backends: {hpc: {type: slurm, partition: gpu}}\ntasks: {a: {backend: hpc, hpc: {qos: '${{ task.slug }}'}, slurm: {n: 1}}}",
      "a",
    );
    expect(found.backend).toBe("hpc");
    expect(found.backendOptions).toEqual({ hpc: { qos: "a" }, slurm: { n: 1 } });
  });

  test("checkpoints, outputs, metrics, values and tracked things", () => {
    const found = only(
      "checkpoint: {path: ck/, keep: true}\noutputs: {model: out/m, log: }\nmetrics: [{stdout: 'acc=(?<acc>.*)'}, {json: m.json, jsonl: '*.jsonl'}]\nvalues: v.json\ntrack: {env: HOME, cmd: [uname -a], text: [1.0]}",
    );
    expect(found.checkpoint).toEqual({ path: "ck", keep: true });
    expect(found.outputs).toEqual({ model: "out/m", log: "" });
    expect(found.metrics).toEqual([
      { kind: "stdout", pattern: "acc=(?<acc>.*)" },
      { kind: "json", path: "m.json" },
      { kind: "jsonl", glob: "*.jsonl" },
    ]);
    expect(found.values).toBe("v.json");
    expect(found.track).toEqual([
      { kind: "env", name: "HOME" },
      { kind: "cmd", command: "uname -a", shell: "sh" },
      { kind: "text", text: "1.0" },
    ]);
    expect(only("checkpoint: true").checkpoint).toEqual({ path: undefined, keep: false });
  });

  test("clean by targets, nothing, or actions of its own", () => {
    expect(only("clean: none").clean).toEqual({ kind: "none" });
    const { clean } = only("clean: [targets, rm -rf cache, [rm, x]]");
    if (clean.kind !== "actions") throw new Error(clean.kind);
    expect(clean.targets).toBe(true);
    expect(clean.actions.map(({ text, argv }) => [text, argv])).toEqual([
      ["rm -rf cache", []],
      ["", ["rm", "x"]],
    ]);
  });
});

describe("two commands that look like one", () => {
  test("get a warning, and the file is read", () => {
    const result = load("tasks: {a: {actions: [python, train.py]}}");
    expect(result.project?.tasks[0]?.actions).toHaveLength(2);
    expect(result.diagnostics.map(({ severity }) => severity)).toEqual(["warning"]);
  });

  test("get none when both are programs or have arguments", () => {
    expect(shown(load("tasks: {a: {actions: [make, git]}, b: {actions: [make x, y]}}"))).toBe("");
  });
});
