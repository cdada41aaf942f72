/** For which jobs the scratch and the output folder need not be made. */

import type { JobAction } from "@flow/core";
import { jobOf } from "@flow/core/testing";
import { describe, expect, it } from "vitest";
import { usesNoFolders } from "../../src/process/job.ts";

const shell = (text: string, changes: Partial<JobAction> = {}): JobAction => ({
  argv: ["sh", "-e", "-c", text],
  cwd: "/project",
  env: {},
  timeoutMs: undefined,
  okExit: [0],
  stdin: undefined,
  ...changes,
});

describe.runIf(process.platform === "linux")("a job uses no folders of its own", () => {
  it.each([": > target", "echo done > a && [ -e b ]", "cd sub; printf '%s' x > y"])(
    "when it runs `%s`",
    (text) => expect(usesNoFolders(jobOf([shell(text)]))).toBe(true),
  );
});

describe("a job may use folders of its own", () => {
  it.each([
    "cp a b",
    ": > a; python train.py",
    'echo x > "$FLOW_OUTPUT_DIR/x"',
    ": > .flow/tasks/00/00/out/x",
    "echo .f*/tasks/*/*/out",
    "cat < a",
    "echo a & cp a b",
    "echo $(ls)",
  ])("when it runs `%s`", (text) => expect(usesNoFolders(jobOf([shell(text)]))).toBe(false));

  it("when only its last commands do", () =>
    expect(usesNoFolders(jobOf([shell(":")], { finally: [shell("rm -f a")] }))).toBe(false));

  it("when it works or reads below the state", () => {
    expect(usesNoFolders(jobOf([shell(":", { cwd: "/project/.flow/drill/x" })]))).toBe(false);
    expect(usesNoFolders(jobOf([shell(":", { stdin: "/project/.flow/in" })]))).toBe(false);
  });

  it("when it has the terminal, or is a program", () => {
    expect(usesNoFolders(jobOf([shell(":")], { interactive: true }))).toBe(false);
    expect(usesNoFolders(jobOf([{ ...shell(""), argv: ["true"] }]))).toBe(false);
  });
});
