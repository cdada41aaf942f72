/** What people can do about a task whose flow was killed: see it, stop it, say what became of it. */
import { lstatSync, readdirSync } from "node:fs";
import { describe, expect } from "vitest";
import { type FlowProject, flowTest } from "../rig/flow-test.ts";

const ONE = `
tasks:
  slow: { targets: [slow.txt], stop: { grace: 20s }, actions: [cmd slow] }
`;

interface Row {
  readonly task: string;
  readonly state: string;
}

describe("a task whose flow was killed", () => {
  flowTest("is listed as left, and can be stopped by flow cancel", async ({ project }) => {
    project.flowFile(ONE);
    const first = project.startRun();
    const slow = await project.cmd("slow").next();
    await first.kill();
    const listed = JSON.parse((await project.run("ps", "--json")).stdout) as Row[];
    expect(listed).toMatchObject([{ task: "slow", state: "left" }]);
    const status = (await project.run("status")).stdout;
    expect(status).toMatch(/^slow {2}◌ left running {2}by run \S+, which died; the next run/);

    const cancelled = await project.run("cancel", "slow");
    expect(cancelled).toMatchObject({
      code: 0,
      stderr: "asking 1 task to stop\nslow  cancelled\n",
    });
    await slow.gone;
    expect(await project.run("ps")).toMatchObject({ stderr: "nothing is running\n" });
    expect((await project.run("status")).stdout).toBe("slow  ◼ stopped\n");
  });

  flowTest("is left alone by flow resolve while it runs", async ({ project }) => {
    project.flowFile(ONE);
    const first = project.startRun();
    const slow = await project.cmd("slow").next();
    await first.kill();
    expect(await project.run("resolve", "slow", "--lost")).toMatchObject({
      code: 4,
      stderr: "flow: slow is running, so it was left alone; flow cancel stops it.\n",
    });
    expect(slow.isAlive()).toBe(true);
    await slow.write("slow.txt", "slow");
    await slow.exit();
    // Taken up once more, now that it has ended.
    expect((await project.run("resolve", "slow", "--lost")).stderr).toBe("slow  done\n");
    expect((await project.run("status")).stdout).toBe("slow  = fresh\n");
  });

  flowTest("is not touched by flow clean", async ({ project }) => {
    project.flowFile(ONE);
    const first = project.startRun();
    const slow = await project.cmd("slow").next();
    await first.kill();
    expect((await project.run("clean", "-y")).stderr).toBe(
      "left alone slow: it may still be running\nremoved 0 files (0 B), forgot 0 tasks\n",
    );
    expect(slow.isAlive()).toBe(true);
    expect((await project.run("cancel", "slow", "--force")).code).toBe(0);
  });
});

/** Puts `| head -1` behind flow and its exit code into a file. */
const HEAD = ["sh", "-c", '{ "$@"; echo $? > code; } | head -1', "sh"];

describe("a reader that goes away", () => {
  flowTest("ends a listing quietly and a run not at all", async ({ project }) => {
    project.flowFile(`
tasks:
  many: { matrix: { i: 1..300 }, actions: ["true"], desc: a line that fills the pipe }
  few: { matrix: { i: 1..30 }, actions: ["true"] }
  last: { after: [few], targets: [last.txt], actions: [": > last.txt"] }
`);
    const listing = await project.start(["show", "many"], { wrapper: HEAD }).ended;
    expect(listing.stdout).toMatch(/^many@i=1 {2}flow.yaml:4\n$/);
    expect(listing.stderr).toBe("");
    expect(project.read("code")).toBe("0\n");
    await project.start(["run", "--output", "json", "last"], { wrapper: HEAD }).ended;
    expect(project.read("code")).toBe("0\n");
    expect(project.has("last.txt")).toBe(true);
  });
});

/** Every file of the project as `stat` sees it, the times of reading aside. */
function everything(project: FlowProject): readonly string[] {
  return readdirSync(project.root, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => {
      const { mode, size, ino, mtimeMs, ctimeMs } = lstatSync(project.path(name));
      return [name, mode, size, ino, mtimeMs, ctimeMs].join(" ");
    });
}

const READ_COMMANDS = [
  ["plan"],
  ["plan", "--json", "--force"],
  ["run", "--dry-run"],
  ["status"],
  ["why", "a", "a.txt"],
  ["list"],
  ["show", "a"],
  ["graph"],
  ["logs", "a"],
  ["history"],
  ["show", "a#last"],
  ["compare", "a", "a"],
  ["export"],
  ["ps"],
  ["attach"],
  ["check"],
  ["clean", "--dry-run"],
] as const;

describe("promise 7, read commands never write", () => {
  flowTest("neither before the first run nor after it", async ({ project }) => {
    project.flowFile('tasks: { a: { targets: [a.txt], actions: ["echo a > a.txt"] } }');
    const untouched = everything(project);
    for (const args of READ_COMMANDS) await project.run(...args);
    expect(everything(project)).toEqual(untouched);

    await project.run("run");
    project.write("a.txt", "edited");
    const afterwards = everything(project);
    for (const args of READ_COMMANDS) await project.run(...args);
    expect(everything(project)).toEqual(afterwards);
  });
});
