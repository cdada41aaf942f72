/** Promise 7, read commands never write: seen from the system calls they make. */

import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { type FlowProject, flowTest } from "../../rig/flow-test.ts";
import { systemSuite } from "../../rig/system.ts";

const READING: readonly (readonly string[])[] = [
  ["plan"],
  ["status"],
  ["why", "use"],
  ["why", "out.txt"],
  ["list"],
  ["show", "use"],
  ["graph", "--expand", "--status"],
  ["logs", "make"],
  ["history"],
  ["show", "make#last"],
  ["compare", "make", "make"],
  ["export"],
  ["ps"],
  ["check"],
];

const CALLS = [
  ...["open", "openat", "creat", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat"],
  ...["rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "mknodat"],
  ...["truncate", "ftruncate", "chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat"],
  ...["utimensat", "setxattr", "fallocate", "connect", "kill", "tkill"],
];

/** The calls of a traced command that could have changed something. */
function writingCalls(trace: string): readonly string[] {
  return trace.split("\n").filter((line) => {
    const call = /^\d+ +(\w+)\(/.exec(line)?.[1];
    if (call === undefined) return false;
    if (!/^open(at)?$/.test(call)) return true;
    return /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/.test(line) && !/"\/dev\/(null|tty)"/.test(line);
  });
}

async function writingCallsOf(project: FlowProject, args: readonly string[]) {
  const log = `${project.root}.trace`;
  const filter = ["-e", `trace=${CALLS.join(",")}`, "-e", "signal=none"];
  const wrapper = ["strace", "-f", "-qq", "-o", log, ...filter];
  await project.start(args, { wrapper }).ended;
  return writingCalls(readFileSync(log, "utf8"));
}

async function expectNoWriting(project: FlowProject): Promise<void> {
  for (const args of READING)
    expect([args, await writingCallsOf(project, args)]).toEqual([args, []]);
}

const FILE = `
tasks:
  make: { deps: [in.txt], targets: [out.txt], actions: [cmd make] }
  use: { deps: [out.txt], targets: [copy.txt], actions: [cp out.txt copy.txt] }
`;

systemSuite("strace", "promise 7, read commands never write", () => {
  flowTest("though a command that writes is noticed", async ({ project }) => {
    project.flowFile("tasks: { a: { actions: [echo] } }");
    expect(await writingCallsOf(project, ["run"])).not.toEqual([]);
  });

  flowTest("where nothing has ever run", async ({ project }) => {
    project.flowFile(FILE);
    project.write("in.txt", "1");
    await expectNoWriting(project);
    expect(project.has(".flow")).toBe(false);
  });

  flowTest("after a run that ended and one that was killed", async ({ project }) => {
    project.flowFile(FILE);
    project.write("in.txt", "1");
    const first = project.startRun();
    const make = await project.cmd("make").next();
    await make.write("out.txt", "made");
    await make.exit();
    expect((await first.ended).code).toBe(0);
    project.write("in.txt", "2");
    const second = project.startRun();
    await project.cmd("make").next();
    project.powerOff();
    await second.ended;
    await expectNoWriting(project);
  });

  flowTest("while a run is under way", async ({ project }) => {
    project.flowFile(FILE);
    project.write("in.txt", "1");
    const run = project.startRun();
    const make = await project.cmd("make").next();
    await expectNoWriting(project);
    await make.write("out.txt", "made");
    await make.exit();
    expect((await run.ended).code).toBe(0);
  });
});
