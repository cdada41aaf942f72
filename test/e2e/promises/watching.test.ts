/** Promise 9: no failure of output, report or page changes results or the exit code; output is hostile. */
import { existsSync } from "node:fs";
import { describe, expect } from "vitest";
import { flowTest } from "../../rig/flow-test.ts";

const TWO = `
tasks:
  a: { targets: [a.txt], actions: [echo a > a.txt] }
  b: { deps: [a.txt], targets: [b.txt], actions: [echo b > b.txt] }
`;

describe("promise 9, watching never changes a run", () => {
  for (const output of ["json", "plain", "live", "quiet"])
    flowTest(`not when the reader of --output ${output} has gone`, async ({ project }) => {
      project.flowFile(TWO);
      const main = `"$0" "$@" 2>&1 | true; echo "\${PIPESTATUS[0]}" > code`;
      const shell = project.start(["run", "--output", output], { wrapper: ["bash", "-c", main] });
      await shell.ended;
      expect(project.read("code")).toBe("0\n");
      expect(project.read("b.txt")).toBe("b\n");
    });

  flowTest("not when a full disk takes no report", async ({ project }) => {
    project.flowFile(TWO);
    const { code } = await project.run("run", "--report-json", "/dev/full");
    expect(code).toBe(0);
    expect(project.read("b.txt")).toBe("b\n");
  });

  flowTest("not when a full disk takes no output", async ({ project }) => {
    project.flowFile(TWO);
    const wrapper = ["sh", "-c", 'exec "$0" "$@" > /dev/full 2>&1'];
    const { code } = await project.start(["run", "--output", "json"], { wrapper }).ended;
    expect(code).toBe(0);
    expect(project.read("b.txt")).toBe("b\n");
  });
});

describe("hostile tasks", () => {
  flowTest("cannot reach the terminal with what they print", async ({ project }) => {
    project.write(
      "hostile.txt",
      "\u001b]52;c;aGFja2Vk\u0007\u001b[2J\u001b]0;title\u0007\u202Etxt.exe\u0000\u009b31m\nlast line\n",
    );
    project.flowFile(`
tasks:
  bad: { actions: ["cat hostile.txt; printf '\\\\377\\\\376 not utf-8\\\\n'; cat hostile.txt >&2; exit 1"] }
`);
    for (const output of ["plain", "live", "quiet"]) {
      const { code, stdout, stderr } = await project.run(
        "run",
        "--output",
        output,
        "--color",
        "never",
      );
      expect(code).toBe(1);
      expect(stderr).toContain("last line");
      expect(stdout + stderr).not.toMatch(/\u001b\]|\u001b\[2J|\u202e|\u0000|\u009b/i);
    }
  });

  flowTest("may print tens of megabytes without a line end", async ({ project }) => {
    project.flowFile(`
tasks:
  loud: { actions: ["head -c 30000000 /dev/zero | tr '\\\\0' x >&2; exit 1"] }
`);
    const { code, stderr } = await project.run("run");
    expect(code).toBe(1);
    expect(stderr.length).toBeLessThan(20_000);
  });

  flowTest(
    "get values with any characters as they are, and as nothing but values",
    async ({ project }) => {
      project.flowFile(`
tasks:
  say:
    matrix: { text: ["$(touch hacked)", "a b'c\\"d", "; touch hacked", "../../up", "ünï\\u202E", "*"] }
    targets: ["out/\${{ task.slug }}.txt"]
    actions: ["printf %s \${{ matrix.text }} > \${{ target }}"]
`);
      const flow = await project.runEvents();
      expect(flow.code).toBe(0);
      expect(project.has("hacked")).toBe(false);
      expect(existsSync(`${project.root}/../../up`)).toBe(false);
      expect(flow.tasks("task/done")).toHaveLength(6);
      for (const task of flow.tasks("task/done")) expect(task).toMatch(/^say@text=[\w.*%~!-]+$/);
      expect((await project.run("run")).stderr).toMatch(/nothing to do/);
    },
  );
});
