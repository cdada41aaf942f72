import { describe, expect, it } from "vitest";
import { attemptHandle, attemptKey, parseAttemptHandle, taskKey } from "../../src/index.ts";

const key = attemptKey(taskKey("0123456789abcdef"), 2);
const attempt = "/project/.flow/tasks/01/0123456789abcdef/attempts/2";

describe("the handle of an attempt that lies in its directory", () => {
  it("is the form that journals on disk already hold", () => {
    expect(attemptHandle(key, attempt)).toStrictEqual({
      version: 1,
      key: "0123456789abcdef-2",
      attempt,
    });
  });

  it("comes back through JSON as the attempt and its place", () => {
    const stored = JSON.parse(JSON.stringify(attemptHandle(key, attempt)));
    expect(parseAttemptHandle(stored)).toStrictEqual({ key, attempt });
  });

  it("may have members that a later flow has added", () => {
    expect(parseAttemptHandle({ version: 1, key, attempt, more: true })).toStrictEqual({
      key,
      attempt,
    });
  });

  it.each([
    ["none at all", undefined],
    ["null", null],
    ["a text", "handle"],
    ["a list", [1, key, attempt]],
    ["another version", { version: 2, key, attempt }],
    ["no version", { key, attempt }],
    ["a key that is none", { version: 1, key: "0123456789abcdef", attempt }],
    ["a key that is no text", { version: 1, key: 7, attempt }],
    ["a relative directory", { version: 1, key, attempt: "tasks/01" }],
    ["no directory", { version: 1, key }],
  ])("is not %s", (_, handle) => {
    expect(parseAttemptHandle(handle)).toBeUndefined();
  });
});
