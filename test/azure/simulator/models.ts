/**
 * Checks request bodies against the models inside the official SDK: unknown and missing properties, types,
 * enumerations, and the limits they state.
 */
import { BatchServiceMappers } from "@azure/batch";

interface Mapper {
  readonly serializedName?: string;
  readonly required?: boolean;
  readonly readOnly?: boolean;
  readonly constraints?: { readonly MaxItems?: number; readonly MaxLength?: number };
  readonly type: {
    readonly name: string;
    readonly className?: string;
    readonly modelProperties?: Readonly<Record<string, Mapper>>;
    readonly element?: Mapper;
    readonly value?: Mapper;
    readonly allowedValues?: readonly string[];
  };
}

const mappers = BatchServiceMappers as unknown as Readonly<Record<string, Mapper | undefined>>;

/** What is wrong with a value that should be an instance of a model; empty if nothing is. */
export function checkModel(model: string, value: unknown): readonly string[] {
  const mapper = mappers[model];
  if (mapper === undefined) throw new Error(`the SDK has no model \`${model}\``);
  return check(mapper, value, "");
}

function check(mapper: Mapper, value: unknown, path: string): readonly string[] {
  const { type, constraints } = mapper;
  const at = path === "" ? "the body" : `\`${path}\``;
  const wrong = (wanted: string): readonly string[] => [`${at} is not ${wanted}`];
  switch (type.name) {
    case "Composite":
      return isObject(value)
        ? checkProperties(type.className ?? "", value, path)
        : wrong("an object");
    case "Sequence": {
      if (!Array.isArray(value)) return wrong("a list");
      const limit = constraints?.MaxItems;
      const tooMany =
        limit !== undefined && value.length > limit ? [`${at} has more than ${limit} entries`] : [];
      const { element } = type;
      if (element === undefined) return tooMany;
      return [
        ...tooMany,
        ...value.flatMap((each, index) => check(element, each, `${path}[${index}]`)),
      ];
    }
    case "Dictionary":
      return isObject(value) ? [] : wrong("an object");
    case "Enum": {
      const allowed = type.allowedValues ?? [];
      return allowed.includes(String(value)) ? [] : wrong(`one of ${allowed.join(", ")}`);
    }
    case "Number":
      return typeof value === "number" ? [] : wrong("a number");
    case "Boolean":
      return typeof value === "boolean" ? [] : wrong("true or false");
    case "DateTime":
    case "Date":
      return Number.isNaN(Date.parse(String(value))) ? wrong("a date") : [];
    case "TimeSpan":
      return /^P(?!$)(\d+D)?(T(?!$)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?$/.test(String(value))
        ? []
        : wrong("a duration");
    case "String":
    case "Uuid":
    case "ByteArray":
    case "Base64Url":
      return typeof value === "string" ? [] : wrong("a text");
    default:
      return [];
  }
}

function checkProperties(
  model: string,
  value: Readonly<Record<string, unknown>>,
  path: string,
): readonly string[] {
  const properties = mappers[model]?.type.modelProperties ?? {};
  const byName = new Map(
    Object.entries(properties).map(([name, mapper]) => [mapper.serializedName ?? name, mapper]),
  );
  const below = (name: string): string => (path === "" ? name : `${path}.${name}`);
  const unknown = Object.keys(value)
    .filter((name) => !byName.has(name))
    .map((name) => `\`${below(name)}\` is not a property of ${model}`);
  const rest = [...byName].flatMap(([name, mapper]) => {
    const found = value[name];
    if (found === undefined || found === null)
      return mapper.required === true && mapper.readOnly !== true
        ? [`\`${below(name)}\` is missing`]
        : [];
    return check(mapper, found, below(name));
  });
  return [...unknown, ...rest];
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
