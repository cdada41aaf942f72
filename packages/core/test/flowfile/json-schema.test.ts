import { describe, expect, test } from "vitest";
import { jsonSchema } from "../../src/flowfile/schema/file-schema.ts";
import { keysAt } from "../../src/flowfile/schema/known-keys.ts";

type Schema = Readonly<Record<string, unknown>>;

describe("the JSON Schema", () => {
  const schema = jsonSchema();

  test("describes a map without unknown keys, but with free x- keys", () => {
    expect(schema).toMatchObject({
      $schema: "https://json-schema.org/draft/2020-12/schema",
      title: "flow file",
      type: "object",
      additionalProperties: false,
      patternProperties: { "^x-": {} },
    });
  });

  test("says of every key what it is for", () => {
    const silent: string[] = [];
    const visit = (node: unknown, path: string): void => {
      if (typeof node !== "object" || node === null) return;
      for (const [key, value] of Object.entries(node)) {
        if (key === "properties") {
          for (const [name, property] of Object.entries(value as Schema)) {
            const { description, $ref } = property as Schema;
            if (description === undefined && $ref === undefined) silent.push(`${path}.${name}`);
          }
        }
        visit(value, key === "properties" ? path : `${path}.${key}`);
      }
    };
    visit(schema, "");
    expect(silent).toEqual([]);
  });

  test("names the keys of the file and of tasks", () => {
    expect(keysAt([]).join(" ")).toBe(
      "version name description root workspace experiment include params env dotenv shell defaults jobs pools backends default ignore code compat secrets tasks",
    );
    expect([...keysAt(["tasks", "x"])].sort().join(" ")).toBe(
      "actions after alias allow_failure always azure-batch backend budget checkpoint clean container cwd deps desc each env finally fresh frozen gpu hang_after hidden interactive local matrix max_requeues metrics mounts outputs pools priority protect requeue requeue_codes requeue_delay require resources retries slurm stop sweep tags targets timeout track uses values when",
    );
  });
});
