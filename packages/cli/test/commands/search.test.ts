import { appendFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type ProjectFolder, projectFolder } from "../project-folder.ts";

/** Asks for x = 1, 2, 3, …, and writes down what it hears. */
const SEARCH = `
import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";
let count = 0;
for await (const line of createInterface({ input: process.stdin })) {
  appendFileSync("heard.txt", line + "\\n");
  const message = JSON.parse(line);
  if (message.replay) count += 1;
  for (let asked = 0; asked < (message.ask ?? 0); asked += 1) {
    count += 1;
    if (count > 5) console.log('{"done": true}');
    else console.log(\`{"trial": \${count}, "params": {"x": \${count}.0}}\`);
    if (count > 5) break;
  }
}
`;

const flowFile = (trials: number, command = "[node, search.mjs]"): string => `version: 1
tasks:
  try:
    sweep:
      method: external
      command: ${command}
      trials: ${trials}
      batch: 2
      seed: 3
      params: { x: [1, 9] }
      objective: max metrics.score
    deps: [input.txt]
    targets: ["out/\${{ matrix.x }}.txt"]
    actions:
      - |
        printf '{"k":"metrics","v":{"score":%s}}\\n' "\${{ matrix.x }}" >> "$FLOW_EVENTS"
        test "\${{ matrix.x }}" != 2.0
        echo "\${{ matrix.x }}" > \${{ target }}
  best:
    deps: { model: "best(try, max metrics.score)" }
    targets: [best.txt]
    actions: ["cp \${{ deps.model }} \${{ target }}"]
`;

const make = (text: string): ProjectFolder =>
  projectFolder({ "flow.yaml": text, "search.mjs": SEARCH, "input.txt": "x\n" });
const heard = ({ path }: ProjectFolder): readonly unknown[] =>
  readFileSync(join(path, "heard.txt"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
const start = (trials: number) => ({
  start: {
    objective: { metric: "score", direction: "max" },
    trials,
    seed: "3",
    params: { x: [1, 9] },
  },
});

describe("an external search", () => {
  it("is asked, told, and asked again, and goes on where it was", async () => {
    const project = make(flowFile(3));
    const first = await project.flow("run", "-q", "try");
    expect(first.code).toBe(1);
    expect(heard(project)).toEqual([
      start(3),
      { ask: 2 },
      { tell: "1", state: "done", value: 1 },
      { tell: "2", state: "failed" },
      { ask: 1 },
      { tell: "3", state: "done", value: 3 },
    ]);
    expect(readdirSync(join(project.path, "out")).toSorted()).toEqual(["1.0.txt", "3.0.txt"]);

    project.write("heard.txt", "");
    project.write("flow.yaml", flowFile(9));
    await project.flow("run", "-q", "try");
    expect(heard(project)).toEqual([
      start(9),
      { replay: { trial: "1", params: { x: 1 }, state: "done", value: 1 } },
      { replay: { trial: "2", params: { x: 2 }, state: "failed" } },
      { replay: { trial: "3", params: { x: 3 }, state: "done", value: 3 } },
      { ask: 2 },
      { tell: "4", state: "done", value: 4 },
      { tell: "5", state: "done", value: 5 },
      { ask: 2 },
    ]);
  });

  it("comes before what needs its best trial, and its torn log is read", async () => {
    const project = make(flowFile(1));
    const first = await project.flow("run", "-q", "best");
    expect([first.code, readFileSync(join(project.path, "best.txt"), "utf8")]).toEqual([
      0,
      "1.0\n",
    ]);
    const [log = ""] = readdirSync(join(project.path, ".flow/searches"));
    appendFileSync(join(project.path, ".flow/searches", log), '{"trial":"9","par');
    const again = await project.flow("run", "best");
    expect(again.stderr).toContain("nothing to do: 2 tasks fresh");
    project.write("flow.yaml", flowFile(3));
    await project.flow("run", "-q", "best", "-k");
    expect(readdirSync(join(project.path, "out")).toSorted()).toEqual(["1.0.txt", "3.0.txt"]);
  });

  it.each([
    [
      "echo hello; cat",
      'line 1 of the search `echo hello; cat` is no trial: it is text `hello`, not an object\n  hello\n  expected {"trial": 1, "params": {"lr": 0.1}} or {"done": true}',
    ],
    ["exit 3", "the search `exit 3` ended with code 3 before it answered; its errors are above"],
    [
      "echo '{trial: 1, params: {x: [1]}}'; cat",
      'line 1 of the search `echo \'{trial: 1, params: {x: [1]}}\'; cat` is no trial: `x` is a list, not text or a number\n  {trial: 1, params: {x: [1]}}\n  expected {"trial": 1, "params": {"lr": 0.1}} or {"done": true}',
    ],
    [
      'echo \'{"trial": 1, "params": {"x": 1}}\'; echo \'{"trial": 1, "params": {"x": 2}}\'; cat > /dev/null',
      "the search for `try` gave a trial `1`, which there is already; each needs a number of its own",
    ],
  ])("that answers wrongly is refused: %s", async (command, message) => {
    const project = make(flowFile(2, JSON.stringify(command)));
    expect(await project.flow("run", "try")).toEqual({
      code: 4,
      stdout: "",
      stderr: `flow: ${message}\n`,
    });
  });
});
