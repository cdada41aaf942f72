import { describe, expect, it } from "vitest";
import { stopReason } from "../../src/index.ts";

describe("the reason of a stop request", () => {
  it.each(["deadline", "preempt", "user", "pruned", "hung", "shutdown"])("may be %s", (word) => {
    expect(stopReason(word)).toBe(word);
  });

  it.each(["bored", "", undefined, null, 1])("is a person's when the word is %j", (word) => {
    expect(stopReason(word)).toBe("user");
  });
});
