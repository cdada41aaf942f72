import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { nested, toYaml } from "../../src/export/mlxp-yaml.ts";
import { type ProjectFolder, projectFolder } from "../project-folder.ts";

const FLOW = `version: 1
params: { optimizer: { lr: 10. }, model: "a, b" }
tasks:
  train:
    matrix: { seed: [1, 2] }
    targets: ["\${{ matrix.seed }}.txt"]
    actions: ["sh train.sh > \${{ target }}; cat \${{ target }} >&2; : \${{ params.optimizer.lr }} \${{ params.model }}"]
`;

const SCRIPT = `echo '{"k":"metrics","ns":"train","step":1,"v":{"loss":0.5,"acc":1}}' >> $FLOW_EVENTS
echo '{"k":"metrics","v":{"plain":2}}' >> $FLOW_EVENTS
echo weights > w.pkl
echo '{"k":"artifact","path":"w.pkl"}' >> $FLOW_EVENTS
echo said
`;

async function ran(): Promise<ProjectFolder> {
  const project = projectFolder({ "flow.yaml": FLOW, "train.sh": SCRIPT });
  expect(await project.flow("run", "-q", "-n", "1")).toMatchObject({ code: 0, stderr: "" });
  return project;
}

describe("flow export", () => {
  it("writes values with commas, chosen records and chosen columns", async () => {
    const { flow } = await ran();
    const { stdout } = await flow(
      "export",
      "seed == 2",
      "--cols",
      "task,model,optimizer.lr,train.loss",
    );
    expect(stdout).toBe(
      'task,params.model,params.optimizer.lr,metrics.train.loss\ntrain@seed=2,"a, b",10.,0.5\n',
    );
    const all = await flow("export");
    expect(all.stdout.split("\n")[0]).toMatch(/^id,task,run,status,.*metrics\.plain\.max$/);
  });

  it("writes JSON with metrics over time", async () => {
    const { flow } = await ran();
    const records = JSON.parse((await flow("export", "--format", "json")).stdout) as object[];
    expect(records).toHaveLength(2);
    expect(records[0]).toMatchObject({
      task: "train@seed=1",
      params: { "optimizer.lr": "10.", seed: "1" },
      series: [
        { step: 1, values: { "train.loss": 0.5, "train.acc": 1 } },
        { values: { plain: 2 } },
      ],
    });
  });

  it("writes the directories of MLXP's logger, each record always under one number", async () => {
    const { flow, path } = await ran();
    await flow("export", "seed == 2", "--format", "mlxp", "--to", "logs");
    await flow("export", "--format", "mlxp", "--to", "logs");
    expect(readdirSync(join(path, "logs"))).toEqual(["1", "2"]);
    const read = (name: string): string => readFileSync(join(path, "logs/1", name), "utf8");
    expect(read("metadata/config.yaml")).toBe('optimizer:\n  lr: 10.0\nmodel: "a, b"\nseed: 2\n');
    expect(read("metadata/info.yaml")).toMatch(
      /^status: COMPLETE\ncurrent_file_path: .*\nexecutable: ''\nhostname: .*\nprocess_id: -1\nstart_date: "\d\d\/\d\d\/\d{4}"\nstart_time: "\d\d:\d\d:\d\d"\nend_date: .*\nend_time: .*\nwork_dir: .*\nlogger:\n {2}log_id: 1\n/,
    );
    expect(read("metrics/train.json")).toBe('{"step": 1, "loss": 0.5, "acc": 1}\n');
    expect(read("metrics/.keys/train.yaml")).toBe("acc: ''\nloss: ''\nstep: ''\n");
    expect(read("metrics/metrics.json")).toBe('{"plain": 2}\n');
    expect(read("artifacts/.keys/artifacts.yaml")).toBe("pickle:\n  '':\n    w.pkl: ''\n");
    expect(read("artifacts/pickle/w.pkl")).toBe("weights\n");
    expect(read("log.stderr")).toBe("said\n");
  });

  it("needs a place for directories", async () => {
    const { flow } = await ran();
    expect(await flow("export", "--format", "mlxp")).toMatchObject({
      code: 2,
      stderr: "flow: --format mlxp writes directories; say where with --to DIR\n",
    });
  });
});

describe("parameters as YAML that Python reads", () => {
  it.each([
    ["10.", "10.0"],
    ["1e-5", "0.00001"],
    ["1e-7", "1.0e-7"],
    ["1e30", "1.0e+30"],
    ["007", '"007"'],
    ["+3", "3"],
    ["True", "true"],
    ["none", "null"],
    ["yes", '"yes"'],
    ["cnn-v2", "cnn-v2"],
    ["a: b", '"a: b"'],
    ["[1, 2]", "[1, 2]"],
    ["[1, 2", '"[1, 2"'],
    ["", "''"],
  ])("%s is %s", (raw, yaml) => {
    expect(toYaml(nested({ x: raw }))).toBe(`x: ${yaml}\n`);
  });

  it("nest by their dots, but lose no value to it", () => {
    expect(toYaml(nested({ "a.b": "1", "a.c.d": "2", e: "3", "e.f": "4" }))).toBe(
      "a:\n  b: 1\n  c:\n    d: 2\ne: 3\ne.f: 4\n",
    );
  });
});

describe("flow tag and flow rm", () => {
  it("say something of records and take them away; targets and freshness stay", async () => {
    const { flow, path } = await ran();
    expect((await flow("tag", "train@seed=1", "good", "note=a b")).stdout).toBe(
      "train@seed=1  good, note=a b\n",
    );
    const tagged = await flow("runs", "--ids", "tag.note == 'a b' and tags contains 'good'");
    expect(tagged.stdout.trim().split("\n")).toHaveLength(1);
    expect((await flow("tag", "seed > 0", "good", "--remove")).stdout).toBe(
      "train@seed=2\ntrain@seed=1  note=a b\n".replace("train@seed=2\n", "train@seed=2  \n"),
    );
    expect((await flow("tag", "train@seed=1", "=x")).stderr).toBe(
      "flow: a tag is NAME or NAME=VALUE, not `=x`\n",
    );
    const asked = await flow("rm", "train@seed=1");
    expect(asked).toMatchObject({ code: 2 });
    expect(asked.stderr).toContain("say -y to do it");
    expect((await flow("rm", "-y", "train@seed=1")).stderr).toMatch(/^removed 1 record \(/);
    expect((await flow("runs", "--cols", "task")).stdout).toMatch(
      /^ID +task\n\S+ +train@seed=2\n$/,
    );
    expect(existsSync(join(path, "1.txt"))).toBe(true);
    expect((await flow("run")).stderr).toContain("nothing to do");
    await flow("run", "-q", "--force", "train@seed=1");
    expect((await flow("runs", "--ids", "train@seed=1")).stdout).toMatch(/-2\n$/);
  });
});
