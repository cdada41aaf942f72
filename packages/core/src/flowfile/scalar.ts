// Plain text as a value, by the rules of YAML 1.2's core schema; for values that come from the
// command line.

/** What an unquoted scalar with this text means. */
export function scalarValue(text: string): string | number | boolean | null {
  if (/^(?:null|Null|NULL|~|)$/.test(text)) return null;
  if (/^(?:true|True|TRUE)$/.test(text)) return true;
  if (/^(?:false|False|FALSE)$/.test(text)) return false;
  if (/^[-+]?[0-9]+$/.test(text)) return Number(text);
  if (/^0o[0-7]+$|^0x[0-9a-fA-F]+$/.test(text)) return Number(text);
  if (/^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/.test(text)) return Number(text);
  return text;
}

/**
 * The text of a scalar as JSON that keeps its literal: `1e-3` stays, `10.` becomes `10.0` (a float
 * stays a float), text is quoted.
 */
export function jsonLiteral(value: string | number | boolean | null, text: string): string {
  if (typeof value === "string" || value === null) return JSON.stringify(value);
  if (typeof value === "boolean") return String(value);
  if (/^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$/.test(text)) return text;
  const match = /^([-+]?)([0-9]*)\.?([0-9]*)([eE][-+]?[0-9]+)?$/.exec(text);
  if (match === null || !Number.isFinite(value)) {
    return Number.isFinite(value) ? String(value) : JSON.stringify(text);
  }
  const [, sign, whole = "", fraction = "", exponent = ""] = match;
  const digits = whole.replace(/^0+(?=[0-9])/, "") || "0";
  const point = text.includes(".") ? `.${fraction || "0"}` : "";
  return `${sign === "-" ? "-" : ""}${digits}${point}${exponent}`;
}
