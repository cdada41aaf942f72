// The quick test of a schema may be unsure, but it never takes what the schema refuses.

import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { z } from "zod";
import { Report } from "../../src/diagnostics/report.ts";
import { toValue } from "../../src/flowfile/document/node.ts";
import { readDocument } from "../../src/flowfile/document/read.ts";
import { acceptsOf } from "../../src/flowfile/schema/accepts.ts";
import { taskSchema } from "../../src/flowfile/schema/task-schema.ts";

const isTask = acceptsOf(taskSchema);

/** What the quick test and the schema say of a document. */
function judge(text: string, schema: z.ZodType = taskSchema): readonly [boolean, boolean] {
  const node = readDocument(text, 0, new Report());
  if (node === undefined) throw new Error(`cannot be read: ${text}`);
  const accepts = schema === taskSchema ? isTask : acceptsOf(schema);
  return [accepts(node), schema.safeParse(toValue(node)).success];
}

const word = fc.constantFrom("a", "content", "until_used", "sh", "ab", "x-1", "1..3", "");

const scalar = fc.oneof(word, fc.integer(), fc.double(), fc.boolean(), fc.constant(null));

/** Keys of tasks and of the maps in them, and one that is none. */
const key = fc.constantFrom(
  ...["actions", "run", "exec", "ok_exit", "shell", "env", "deps", "path", "check", "optional"],
  ...["file", "keys", "task", "targets", "sha256", "keep", "resources", "cpus", "mpi", "processes"],
  ...["retries", "max", "matrix", "uses", "outputs", "clean", "when", "desc", "nope", "x-a"],
);

const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", maxDepth: 4 },
    { weight: 3, arbitrary: scalar },
    { weight: 1, arbitrary: fc.array(tie("value"), { maxLength: 3 }) },
    { weight: 2, arbitrary: fc.dictionary(key, tie("value"), { maxKeys: 4 }) },
  ),
}));

const finite = (data: unknown): string =>
  JSON.stringify(data, (_, part: unknown) => (Number.isFinite(part) ? part : (part ?? null)));

describe("the quick test of a task's shape", () => {
  test.prop([fc.dictionary(key, value, { maxKeys: 5 })], { numRuns: 2000 })(
    "takes nothing that the schema refuses",
    (task) => {
      const [quick, whole] = judge(finite(task));
      if (quick) expect(whole).toBe(true);
    },
  );

  test.each([
    "{}",
    "{actions: [make all, [cc, 1, true], {run: x, shell: bash}], deps: [a, {path: b}], targets: [c]}",
    "{desc: words, tags: [a], resources: {cpus: 2, mem: 6GB}, retries: {max: 3}, matrix: {x: [1]}}",
    "{targets: {model: m.pt, log: {path: l, keep: until_used}}, outputs: {a: null}, hidden: true}",
  ])("takes what is plainly right without the schema: %s", (text) => {
    expect(judge(text)).toEqual([true, true]);
  });

  test.each([
    ["[a]", "a list"],
    ["{targets: [{nonempty: true}]}", "a key is missing"],
    ["{targets: [{path: a, keep: always}]}", "another word"],
    ["{priority: .inf}", "no number"],
    ["{hidden: 1}", "no flag"],
    ["{action: [a]}", "an unknown key"],
  ])("does not take %s: %s", (text) => {
    expect(judge(text)).toEqual([false, false]);
  });

  test("leaves to the schema what has a rule of its own", () => {
    expect(judge(`{targets: [{path: a, sha256: ${"ab".repeat(32)}}]}`)).toEqual([false, true]);
    expect(judge("{env: {A: 1}}")).toEqual([false, true]);
    expect(judge("a", z.string().min(1))).toEqual([false, true]);
    expect(judge("{a: 1}", z.record(z.enum(["a"]), z.number()))).toEqual([false, true]);
    expect(judge("1", z.int())).toEqual([false, true]);
  });
});
