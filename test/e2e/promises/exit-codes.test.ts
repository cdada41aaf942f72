/** The exit codes that no other test of the promises leads to, and that nothing starts on bad input. */
import { describe, expect } from "vitest";
import { flowTest } from "../../rig/flow-test.ts";

const ONE = "tasks:\n  a: { targets: [a.txt], actions: [echo a > a.txt] }\n";

describe("exit code", () => {
  flowTest(
    "2 and an arrow to the place: an error in the flow file, nothing started",
    async ({ project }) => {
      project.flowFile("tasks:\n  a: { target: [a.txt], actions: [echo a > a.txt] }\n");
      const { code, stdout, stderr } = await project.run("run");
      expect(code).toBe(2);
      expect(stdout).toBe("");
      expect(stderr).toContain("flow.yaml:3:8");
      expect(stderr).toContain("targets");
      expect(project.has(".flow")).toBe(false);
    },
  );

  flowTest("2: wrong usage", async ({ project }) => {
    project.flowFile(ONE);
    for (const args of [["run", "-n", "none"], ["run", "--no-such"], ["rum"], ["run", "nobody"]]) {
      expect((await project.run(...args)).code).toBe(2);
    }
    expect(project.has(".flow")).toBe(false);
  });

  flowTest("2: an input that nobody makes and that is not there", async ({ project }) => {
    project.flowFile(
      "tasks:\n  a: { deps: [in.txt], targets: [a.txt], actions: [cp in.txt a.txt] }\n",
    );
    const { code, stderr } = await project.run("run");
    expect(code).toBe(2);
    expect(stderr).toContain("in.txt");
    expect(project.has(".flow")).toBe(false);
  });

  flowTest(
    "3: a state folder that cannot be made, said in one message and no stack",
    async ({ project }) => {
      project.flowFile(ONE);
      project.write(".flow", "a file");
      const { code, stderr } = await project.run("run");
      expect(code).toBe(3);
      expect(stderr).toContain(
        `a file is in the way where a folder has to be; move it away (ENOTDIR, mkdir) at ${project.root}/.flow/locks`,
      );
      expect(stderr).not.toMatch(/^\s+at .*\.[jt]s:/m);
      expect(project.has("a.txt")).toBe(false);
    },
  );

  flowTest("3: a list that cannot be written", async ({ project }) => {
    project.flowFile(ONE);
    const wrapper = ["sh", "-c", 'exec "$0" "$@" > /dev/full'];
    const { code, stderr } = await project.start(["list"], { wrapper }).ended;
    expect({ code, stderr }).toEqual({
      code: 3,
      stderr: "flow: the disk is full (ENOSPC, write) at the output.\n",
    });
  });

  flowTest("3: a current folder that is gone", async ({ project }) => {
    project.flowFile(ONE);
    const wrapper = ["sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$0" "$@"'];
    const { code, stderr } = await project.start(["run"], { wrapper }).ended;
    expect({ code, stderr }).toEqual({
      code: 3,
      stderr: "flow: the current folder is gone; go to one that exists.\n",
    });
  });

  flowTest("5: `plan --check` found work, 0 when there is none", async ({ project }) => {
    project.flowFile(ONE);
    expect((await project.run("plan", "--check")).code).toBe(5);
    await project.run("run");
    expect((await project.run("plan", "--check")).code).toBe(0);
  });
});

describe("the contract of the command line", () => {
  flowTest("data goes to stdout and everything else to stderr", async ({ project }) => {
    project.flowFile(ONE);
    const run = await project.run("run");
    expect(run.stdout).toBe("");
    for (const args of [
      ["list", "--json"],
      ["status", "--json"],
      ["show", "a", "--json"],
    ]) {
      const { stdout, stderr } = await project.run(...args);
      expect(() => JSON.parse(stdout)).not.toThrow();
      expect(stderr).toBe("");
    }
  });

  flowTest("works from any folder below the project", async ({ project }) => {
    project.flowFile(ONE);
    project.write("deep/er/file", "");
    const { code } = await project.start(["run"], { cwd: "deep/er" }).ended;
    expect(code).toBe(0);
    expect(project.has("a.txt")).toBe(true);
  });
});
