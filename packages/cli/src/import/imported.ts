// What every import makes, and how it reads files whose form nobody has checked.

export type Fields = Readonly<Record<string, unknown>>;

export interface Imported {
  /** The flow file as plain data, in the order in which it is to be written. */
  readonly file: Fields;
  /** Sentences about what was not carried over, or has to be filled in. */
  readonly notes: readonly string[];
}

/** A map, or an empty one for anything else. */
export const asMap = (value: unknown): Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};

/** The maps in a list; none for anything else. */
export const asMaps = (value: unknown): readonly Fields[] =>
  Array.isArray(value) ? value.map(asMap) : [];

/** Text that is not empty. */
export const asText = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;

export const asNumber = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined;

/** Without what is undefined or an empty map or list. */
export const compact = (fields: Fields): Fields =>
  Object.fromEntries(
    Object.entries(fields).filter(([, value]) => {
      if (value === undefined) return false;
      return typeof value !== "object" || value === null || Object.keys(value).length > 0;
    }),
  );

/** A name that flow takes for tasks, mounts and backends. */
export const nameFrom = (text: string, otherwise: string): string => {
  const name = text.replaceAll(/[^A-Za-z0-9_-]+/g, "-").replace(/^[^A-Za-z_]+|-+$/g, "");
  return name === "" ? otherwise : name;
};

/** Texts in a list, or one alone. */
export const textsOf = (value: unknown): readonly string[] =>
  (Array.isArray(value) ? value : [value]).flatMap((each) => asText(each) ?? []);
