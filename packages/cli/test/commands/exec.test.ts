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
});
