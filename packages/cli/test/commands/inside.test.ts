/** flow called by a program that flow runs. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { commandLine } from "../../src/command-line.ts";
import { type FakeIo, fakeIo } from "../fake-io.ts";
import { type ProjectFolder, projectFolder } from "../project-folder.ts";

/** Tasks that wait until they are told to go on, having written down their environment. */
const FILE = `tasks:
  outer: {actions: ["env > new; mv new outer-vars; until [ -e go ]; do sleep 0.05; done"]}
  inner: {actions: ["env > new2; mv new2 inner-vars; until [ -e go ]; do sleep 0.05; done"]}
  user: {after: [outer], actions: ["true"]}
  other: {actions: ["true"]}
`;

/**
 * Starts command lines as the program of a running task would, once it runs. They leave out the mark of
 * the task's processes: with it what they start would be killed as left behind when the task ends, and
 * here it may end before them.
 */
async function inside(
  { path }: ProjectFolder,
  task: "outer" | "inner",
): Promise<
  (...args: readonly string[]) => { readonly io: FakeIo; readonly code: Promise<number> }
> {
  const vars = join(path, `${task}-vars`);
  await expect.poll(() => existsSync(vars), { timeout: 100_000 }).toBe(true);
  const lines = readFileSync(vars, "utf8").split("\n");
  const { FLOW_ATTEMPT_DIR: _, ...env } = Object.fromEntries<string>(
    lines.map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]),
  );
  return (...args) => {
    const io = fakeIo({ cwd: path, env });
    return { io, code: commandLine(args, io) };
  };
}

it("a task that asks for itself is refused, and may ask for others and when it is over", async () => {
  const project = projectFolder({ "flow.yaml": FILE });
  const run = project.start("run", "outer");
  const flow = await inside(project, "outer");
  const itself = flow("run", "outer");
  expect(await itself.code).toBe(2);
  expect(itself.io.stderr.text).toBe(
    "flow: the task `outer` runs this command and is itself among the tasks that are asked for, so it would wait for itself; ask for others, or add `!outer`\n",
  );
  expect(await flow("run", "other").code).toBe(0);
  project.write("go", "");
  expect(await run.code).toBe(0);
  expect(await flow("run", "outer").code).toBe(0);
});

it("tasks that ask for each other are refused, over any number of runs", async () => {
  const project = projectFolder({ "flow.yaml": FILE });
  const first = project.start("run", "outer");
  const second = (await inside(project, "outer"))("run", "inner");
  const flow = await inside(project, "inner");
  for (const asked of ["outer", "user"]) {
    const third = flow("run", asked);
    expect(await third.code).toBe(2);
    expect(third.io.stderr.text.replaceAll(/\d{8}-\d{6}-\w+/g, "RUN")).toBe(
      "flow: the task `outer` is among the tasks that are asked for, and waits itself for this command to end: `outer` (run RUN) → `inner` (run RUN) → this command; ask for others, or add `!outer`\n",
    );
  }
  expect(await flow("run", "other").code).toBe(0);
  project.write("go", "");
  expect([await first.code, await second.code]).toEqual([0, 0]);
  expect(await flow("run", "user").code).toBe(0);
});

it("two tasks of different runs that each wait for the other: one command gives way, the other goes on", async () => {
  const project = projectFolder({ "flow.yaml": FILE });
  const runs = [project.start("run", "outer"), project.start("run", "inner")];
  const crosswise = [
    (await inside(project, "outer"))("run", "inner"),
    (await inside(project, "inner"))("run", "outer"),
  ];
  const first = await Promise.race(
    crosswise.map(async ({ code }, at) => ({ at, code: await code })),
  );
  expect(first.code).toBe(4);
  const [one, other] = first.at === 0 ? ["inner", "outer"] : ["outer", "inner"];
  const said = crosswise[first.at]?.io.stderr.text.replaceAll(/\d{8}-\d{6}-\w+/g, "RUN");
  expect(said).toContain(
    `warning [0/1] this run would wait for ever: it waits for \`${one}\` of run RUN, inside of which run RUN waits for \`${other}\` of run RUN, inside of which this run began. It gives up, so that the others can go on; name one task under \`after:\` of the other instead of running it from there\n`,
  );
  project.write("go", "");
  const ended = await Promise.all([...runs, ...crosswise].map(({ code }) => code));
  expect(ended).toEqual([0, 0, ...(first.at === 0 ? [4, 0] : [0, 4])]);
});
