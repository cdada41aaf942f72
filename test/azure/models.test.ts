/** The check of request bodies against the SDK's models takes what the official examples send, and nothing else. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { officialSuite } from "./fixture.ts";
import { checkModel } from "./simulator/models.ts";
import { specificationFolder } from "./simulator/openapi.ts";

interface Specification {
  readonly paths: Readonly<Record<string, Readonly<Record<string, SpecifiedOperation>>>>;
}

interface SpecifiedOperation {
  readonly operationId: string;
  readonly parameters: readonly {
    readonly in?: string;
    readonly name?: string;
    readonly schema?: { readonly $ref?: string };
  }[];
  readonly "x-ms-examples"?: Readonly<Record<string, { readonly $ref: string }>>;
}

officialSuite("the models of the official client", (root) => {
  const folder = specificationFolder(root, "2022-10-01.16.0");
  const text = readFileSync(join(folder, "BatchService.json"), "utf8");
  const specification = JSON.parse(text) as Specification;
  const bodies = Object.values(specification.paths)
    .flatMap((methods) => Object.values(methods))
    .flatMap((operation) => examplesOf(operation, folder));

  it("are those of all examples that have a body", () => {
    expect(readdirSync(join(folder, "examples"))).toHaveLength(89);
    expect(bodies).toHaveLength(35);
  });

  it.each(bodies)("take the body of $example", ({ model, body }) => {
    expect(checkModel(model, body)).toEqual([]);
  });

  it("refuse an example with one property misspelt", () => {
    const pick = fc.constantFrom(...bodies.filter(({ body }) => Object.keys(body).length > 0));
    fc.assert(
      fc.property(pick, fc.nat(), ({ model, body }, index) => {
        const names = Object.keys(body);
        const name = names[index % names.length]!;
        const { [name]: value, ...rest } = body;
        expect(checkModel(model, { ...rest, [`${name}x`]: value })).not.toEqual([]);
      }),
    );
  });
});

function examplesOf(operation: SpecifiedOperation, folder: string) {
  const parameter = operation.parameters.find((each) => each.in === "body");
  const model = parameter?.schema?.$ref?.split("/").at(-1);
  if (parameter?.name === undefined || model === undefined) return [];
  const { name } = parameter;
  return Object.values(operation["x-ms-examples"] ?? {}).flatMap(({ $ref }) => {
    const example = JSON.parse(readFileSync(join(folder, $ref), "utf8")) as {
      readonly parameters: Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;
    };
    const body = example.parameters[name];
    return body === undefined ? [] : [{ example: $ref, model, body }];
  });
}
