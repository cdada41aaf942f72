/** flow called by a program that flow runs. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { commandLine } from "../../src/command-line.ts";
import { fakeIo } from "../fake-io.ts";
import { projectFolder } from "../project-folder.ts";

const FILE = `tasks:
  outer: {actions: ["env > vars.new; mv vars.new vars; until [ -e go ]; do sleep 0.05; done"]}
  other: {actions: ["true"]}
`;

it("a task that asks for itself is refused, and may ask for others and when it is over", async () => {
  const project = projectFolder({ "flow.yaml": FILE });
  const run = project.start("run", "outer");
  const vars = join(project.path, "vars");
  while (!existsSync(vars)) await new Promise((resolve) => setTimeout(resolve, 20));
  const lines = readFileSync(vars, "utf8").split("\n");
  const env = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2) as [string]));
  const inside = async (...args: readonly string[]) => {
    const io = fakeIo({ cwd: project.path, env });
    return { code: await commandLine(args, io), stderr: io.stderr.text };
  };
  expect(await inside("run")).toEqual({
    code: 2,
    stderr:
      "flow: the task `outer` runs this command and is itself among the tasks that are asked for, so it would wait for itself; ask for others, or add `!outer`\n",
  });
  expect((await inside("run", "!outer")).code).toBe(0);
  project.write("go", "");
  expect(await run.code).toBe(0);
  expect((await inside("run")).code).toBe(0);
});
