// A dependency on some keys of a YAML or JSON file. The parser is only loaded when a file has to be
// read; an unchanged file costs a stat.

import { parseDocument } from "./documents.ts";
import { canonical, shorten, shortHash } from "./fingerprint.ts";
import type { InputProblem } from "./trace.ts";

/** Values by key, as canonical JSON, shortened for showing. */
export type KeyValues = Readonly<Record<string, string>>;

/** The digest over the values of these dotted keys. A key that is not there is a problem. */
export async function digestKeys(
  path: string,
  content: Uint8Array,
  keys: readonly string[],
): Promise<{ readonly digest: string; readonly values: KeyValues } | InputProblem> {
  let document: unknown;
  try {
    document = await parseDocument(path, new TextDecoder("utf-8", { fatal: true }).decode(content));
  } catch (error) {
    const detail = error instanceof Error ? error.message.split("\n")[0] : String(error);
    return {
      kind: "unreadable",
      path,
      message: `\`${path}\` cannot be parsed: ${(detail ?? "").replace(/[.:]$/, "")}.`,
    };
  }
  const values: Record<string, string> = {};
  const texts: string[] = [];
  for (const key of [...keys].sort()) {
    const value = lookUp(document, key);
    if (value === undefined) {
      return { kind: "value", path, message: `\`${path}\` has no key \`${key}\`.` };
    }
    const text = canonical(value);
    texts.push(`${key}\t${text}`);
    values[key] = shorten(text);
  }
  return { digest: shortHash(texts.join("\n")), values };
}

/** The value at a dotted path; an own key that contains the dots goes first. */
export function lookUp(document: unknown, key: string): unknown {
  if (typeof document !== "object" || document === null) return undefined;
  if (Object.hasOwn(document, key)) return (document as Record<string, unknown>)[key];
  for (let dot = key.indexOf("."); dot >= 0; dot = key.indexOf(".", dot + 1)) {
    const head = key.slice(0, dot);
    if (!Object.hasOwn(document, head)) continue;
    const found = lookUp((document as Record<string, unknown>)[head], key.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}
