import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { projectFolder } from "../project-folder.ts";

const FILE = `version: 1
params: { lr: 0.1, seed: 1, epochs: 2 }
tasks:
  train:
    deps: [input.txt]
    targets: ["out/\${{ params.lr }}-\${{ params.seed }}.txt"]
    budget: [epochs]
    checkpoint: true
    actions:
      - echo "\${{ params.lr }}" >> ran.txt
      - echo "\${{ params.lr }} \${{ params.epochs }} $FLOW_RESTART_REASON" > \${{ target }}
      - test "\${{ params.lr }}" != bad
  score:
    deps: { model: { task: train } }
    targets: ["out/\${{ params.lr }}-\${{ params.seed }}.score"]
    actions: ["wc -c < \${{ deps.model }} > \${{ target }}"]
`;

const sweepProject = () => projectFolder({ "flow.yaml": FILE, "input.txt": "x\n" });
const last = (text: string): string => text.trimEnd().split("\n").at(-1) ?? "";
const facts = (text: string): string => last(text).replace(/ · .*/, "");

describe("flow run with several values", () => {
  it("runs each combination once, whoever asks for it", async () => {
    const { flow, path } = sweepProject();
    const lines = (): readonly string[] =>
      readFileSync(join(path, "ran.txt"), "utf8").trimEnd().split("\n");
    const first = await flow("run", "score", "-p", "lr=10.,1e-3", "-p", "seed=1..2");
    expect([first.code, facts(first.stderr)]).toEqual([0, "✔ 8 done"]);
    expect(lines().toSorted()).toEqual(["10.", "10.", "1e-3", "1e-3"]);
    const again = await flow("run", "score", "lr=10.,1e-3", "seed=1..2");
    expect(facts(again.stderr)).toBe("✔ nothing to do: 8 tasks fresh");
    const alone = await flow("run", "score", "-p", "lr=1e-3");
    expect(facts(alone.stderr)).toBe("✔ nothing to do: 2 tasks fresh");
    const more = await flow("run", "train", "lr=10.,1e-3,0.5", "seed=2");
    expect(facts(more.stderr)).toBe("✔ 1 done, 2 fresh");
    writeFileSync(join(path, "flow.yaml"), FILE.replace("lr: 0.1", "lr: 10."));
    expect(facts((await flow("run", "score")).stderr)).toBe("✔ nothing to do: 2 tasks fresh");
    expect(lines()).toHaveLength(5);
  });

  it("goes on from the checkpoint when a budget is raised, also for one combination of a sweep", async () => {
    const { flow, path } = sweepProject();
    await flow("run", "train", "lr=1,2");
    await flow("run", "train", "lr=2", "epochs=9");
    expect(readFileSync(join(path, "out/2-1.txt"), "utf8")).toBe("2 9 promote\n");
    const whole = await flow("run", "train", "lr=1,2", "epochs=9");
    expect(facts(whole.stderr)).toBe("✔ 1 done, 1 fresh");
  });

  it("shows every combination with its state beforehand", async () => {
    const { flow } = sweepProject();
    await flow("run", "-k", "train", "-p", "lr=1,bad");
    const { stdout } = await flow("run", "--dry-run", "train", "-p", "lr=1,2,bad");
    const lines = stdout
      .replace(/about .*/, "TIME")
      .replaceAll(/ {2,}(?:[\d.]+m?s(?= |$))? */gm, "  ")
      .replaceAll(/ +$/gm, "");
    expect(lines).toBe(`= fresh  train@lr=1
· run  train@lr=2  never succeeded before
✖ failed  train@lr=bad  never succeeded before
2 of 3 tasks would run; TIME
`);
  });

  it("knows a combination by its name alone", async () => {
    const { flow, path } = sweepProject();
    await flow("run", "train", "lr=1,2", "seed=1..2");
    expect(facts((await flow("run", "train@lr=2,seed=1")).stderr)).toBe(
      "✔ nothing to do: 1 task fresh",
    );
    expect((await flow("show", "train@lr=2,seed=2")).stdout).toContain("out/2-2.txt");
    const two = await flow("run", "train@lr=2", "train@lr=3");
    expect(facts(two.stderr)).toBe("✔ 1 done, 1 fresh");
    expect((await flow("clean", "--dry-run", "train@lr=2,seed=2")).stdout).toBe("out/2-2.txt\n");
    expect((await flow("show", "train@rate=2")).stderr).toBe(
      "error: No member of `train` is `train@rate=2`. [no-match]\n  fix: It has no axes.\n",
    );
    expect(readFileSync(join(path, "ran.txt"), "utf8").trim().split("\n")).toHaveLength(5);
  });

  it("cleans what was made with other values, unless values are named", async () => {
    const { flow, write } = sweepProject();
    await flow("run", "train", "lr=1,2,3");
    expect((await flow("clean", "--dry-run", "--stale")).stdout).toBe("");
    expect((await flow("clean", "--dry-run", "train", "lr=2")).stdout).toBe("out/2-1.txt\n");
    write(
      "flow.yaml",
      FILE.replace("    checkpoint: true", "    checkpoint: true\n    protect: true"),
    );
    expect((await flow("clean", "--dry-run", "train")).stdout).toBe("");
    write("flow.yaml", FILE);
    const { stdout } = await flow("clean", "--dry-run", "train");
    expect(stdout.trimEnd().split("\n").toSorted()).toEqual([
      "out/1-1.txt",
      "out/2-1.txt",
      "out/3-1.txt",
    ]);
  });
});

describe("a sweep that stops poor trials early", () => {
  const SEARCH = `version: 1
tasks:
  search:
    sweep:
      method: list
      params: [{ lr: 5 }, { lr: 6 }, { lr: 1 }]
      objective: max metrics.acc
      stop: { median: { trials: 2 } }
    deps: [input.txt]
    targets: ["out/\${{ matrix.lr }}.txt"]
    actions:
      - |
        printf '{"k":"metrics","step":1,"v":{"acc":%s}}\\n' \${{ matrix.lr }} >> "$FLOW_EVENTS"
        if [ \${{ matrix.lr }} = 1 ]; then
          until [ -e "$FLOW_STOP_FILE" ]; do sleep 0.05; done
          exit 75
        fi
        echo done > \${{ target }}
`;

  it("does not run them again, until they are forced or their inputs change", async () => {
    const { flow, write } = projectFolder({ "flow.yaml": SEARCH, "input.txt": "x\n" });
    const first = await flow("run", "-n", "1");
    expect([first.code, facts(first.stderr)]).toEqual([0, "✔ 2 done, 1 pruned"]);
    expect(facts((await flow("run", "-n", "1")).stderr)).toBe("✔ 2 fresh, 1 pruned");
    expect((await flow("run", "--dry-run")).stdout.replaceAll(/ +(?:[\d.]+m?s)?$/gm, "")).toBe(
      `= fresh   search@lr=5
= fresh   search@lr=6
✂ pruned  search@lr=1
nothing to do: 2 tasks fresh, 1 ended early
`,
    );
    expect((await flow("status")).stdout).toContain("✂ 1 pruned");
    write("input.txt", "y\n");
    expect(facts((await flow("run", "-n", "1")).stderr)).toBe("✔ 2 done, 1 pruned");
  });
});

describe("the best of a sweep", () => {
  const BEST = `version: 1
tasks:
  train:
    matrix: { model: [a, b] }
    sweep:
      method: list
      params: [{ lr: 1 }, { lr: 2 }, { lr: 3 }]
      objective: max metrics.acc
      stop: { median: { after: 2, trials: 5 } }
    deps: [scores.txt]
    targets: ["out/\${{ matrix.model }}-\${{ matrix.lr }}.txt"]
    actions:
      - |
        acc=$(sed -n 's/^\${{ matrix.model }} \${{ matrix.lr }} //p' scores.txt)
        printf '{"k":"metrics","step":1,"v":{"acc":%s}}\\n' "$acc" >> "$FLOW_EVENTS"
        if [ "$acc" = 0 ]; then
          printf '{"k":"metrics","step":2,"v":{"acc":0}}\\n' >> "$FLOW_EVENTS"
          until [ -e "$FLOW_STOP_FILE" ]; do sleep 0.05; done
          exit 75
        fi
        printf '{"k":"metrics","step":2,"v":{"acc":%s}}\\n' "$acc" >> "$FLOW_EVENTS"
        echo \${{ matrix.model }}-\${{ matrix.lr }} > \${{ target }}
  winner:
    deps: { model: "best(train, max metrics.acc)" }
    targets: [winner.txt]
    actions: ["cat \${{ deps.model }} > \${{ target }}"]
  each-model:
    deps: { models: { task: train, best: max metrics.acc, per: model } }
    targets: [each.txt]
    actions: ["cat \${{ deps.models }} > \${{ target }}"]
  paired:
    matrix: { model: [a, b] }
    deps: { model: "best(train, min metrics.acc)" }
    targets: ["paired-\${{ matrix.model }}.txt"]
    actions: ["cat \${{ deps.model }} > \${{ target }}"]
  all:
    deps: { models: { task: "train[*]" } }
    targets: [all.txt]
    actions: ["cat \${{ deps.models }} > \${{ target }}"]
  child:
    each: train
    deps: [{ task: train }]
    actions: ["true"]
`;
  const SCORES = "a 1 5\na 2 7\na 3 6\nb 1 8\nb 2 9\nb 3 0\n";

  it("is found when all have ended, and trials ended early are left out", async () => {
    const { flow, path, write } = projectFolder({ "flow.yaml": BEST, "scores.txt": SCORES });
    const read = (name: string): string => readFileSync(join(path, name), "utf8");
    const first = await flow("run", "-n", "1");
    expect([first.code, facts(first.stderr)]).toEqual([0, "✔ 15 done, 2 pruned"]);
    expect(read("winner.txt")).toBe("b-2\n");
    expect(read("each.txt")).toBe("a-2\nb-2\n");
    expect([read("paired-a.txt"), read("paired-b.txt")]).toEqual(["a-1\n", "b-1\n"]);
    expect(read("all.txt")).toBe("a-1\na-2\na-3\nb-1\nb-2\n");
    write("scores.txt", SCORES.replace("a 3 6", "a 3 10"));
    await flow("run", "-n", "1");
    expect(read("winner.txt")).toBe("a-3\n");
    expect(read("each.txt")).toBe("a-3\nb-2\n");
  });

  it("says which metrics there are when it asks for another", async () => {
    const { flow } = projectFolder({
      "flow.yaml": BEST.replace("max metrics.acc)", "max metrics.loss)"),
      "scores.txt": SCORES,
    });
    const { code, stderr } = await flow("run", "-n", "1", "winner");
    expect(code).toBe(1);
    expect(stderr).toContain(
      "None of the 6 candidates of `train` has the metric `loss`; there are acc.",
    );
  });
});
