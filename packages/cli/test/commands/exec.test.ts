import { describe, expect, it } from "vitest";
import { projectFolder } from "../project-folder.ts";

describe("flow exec", () => {
  it("says how to run the same command again when it failed", async () => {
    const { flow } = projectFolder({});
    const { code, stderr } = await flow(
      "exec",
      "-q",
      "--timeout",
      "1m",
      "--",
      "sh",
      "-c",
      "exit 3",
    );
    expect(code).toBe(1);
    expect(stderr).toContain("\n    rerun    flow exec --timeout 1m -- sh -c 'exit 3'\n");
    expect(stderr).not.toContain("--failed");
  });

  it("shows what the command has written, each stream where it belongs", async () => {
    const { flow } = projectFolder({});
    const command = ["--", "sh", "-c", "echo told; echo warned >&2"];
    expect(await flow("exec", "-q", ...command)).toEqual({
      code: 0,
      stdout: "told\n",
      stderr: "warned\n",
    });
    const { stdout } = await flow("exec", "--output", "json", ...command);
    expect(() =>
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).not.toThrow();
  });
});
