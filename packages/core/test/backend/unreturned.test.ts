import { describe, expect, it } from "vitest";
import { unreturnedMetrics } from "../../src/backend/unreturned.ts";
import { task } from "../engine/tasks.ts";

const left = (
  jsonl: string,
  targets: readonly string[] = [],
  outputs: Readonly<Record<string, string>> = {},
) =>
  unreturnedMetrics(task("train", { metrics: [{ kind: "jsonl", glob: jsonl }], targets, outputs }));

describe("metrics that no remote backend could bring home", () => {
  it("are patterns of files that are no part of what the task makes", () => {
    expect(left("logs/*.jsonl")).toBe("logs/*.jsonl");
    expect(left("*.jsonl", ["logs"])).toBe("*.jsonl");
    expect(left("logs-2/*.jsonl", ["logs"], { own: "" })).toBe("logs-2/*.jsonl");
  });

  it("are no files that are named, and none in what is fetched whole", () => {
    expect(left("logs/a.jsonl")).toBeUndefined();
    expect(left("logs/*.jsonl", ["logs/"])).toBeUndefined();
    expect(left("logs/deep/*.jsonl", [], { logs: "logs" })).toBeUndefined();
    expect(left("logs/*.jsonl", ["logs/a.jsonl"])).toBeUndefined();
  });
});
