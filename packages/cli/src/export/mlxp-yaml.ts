// The little YAML that MLXP's metadata needs, as PyYAML reads it (YAML 1.1).

/** Text is quoted where need be; `undefined` is written as null. */
export type Plain = string | number | undefined | Raw | { readonly [key: string]: Plain };

/** A parameter as a person wrote it: `10.` is a number, `cnn` a text. */
class Raw {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A block mapping; `{}` for an empty one. */
export function toYaml(map: Readonly<Record<string, Plain>>, indent = ""): string {
  return Object.entries(map)
    .map(([key, value]) => {
      const name = `${indent}${scalar(key)}:`;
      if (typeof value !== "object" || value instanceof Raw) {
        return `${name} ${value instanceof Raw ? rawScalar(value.text) : scalar(value)}\n`;
      }
      return Object.keys(value).length === 0
        ? `${name} {}\n`
        : `${name}\n${toYaml(value, `${indent}  `)}`;
    })
    .join("");
}

/** Dotted names as maps inside maps; a name that is both a value and a map keeps its dots. */
export function nested(flat: Readonly<Record<string, string>>): Readonly<Record<string, Plain>> {
  const root: Record<string, Plain> = {};
  for (const [name, text] of Object.entries(flat)) {
    const parts = name.split(".");
    let at = root;
    let isFree = true;
    for (const part of parts.slice(0, -1)) {
      const inner = Object.hasOwn(at, part) ? at[part] : undefined;
      if (inner === undefined) at[part] = {};
      else if (typeof inner !== "object" || inner instanceof Raw) isFree = false;
      if (!isFree) break;
      at = at[part] as Record<string, Plain>;
    }
    const last = parts.at(-1) ?? name;
    if (isFree && !Object.hasOwn(at, last)) at[last] = new Raw(text);
    else root[name] = new Raw(text);
  }
  return root;
}

const PLAIN = /^[A-Za-z_/][\w./@=+-]*$/;
const WORDS = new Set(["null", "true", "false", "yes", "no", "on", "off", "y", "n"]);

function scalar(value: string | number | undefined): string {
  if (value === undefined) return "null";
  if (typeof value === "number") return numberText(value);
  if (value === "") return "''";
  return PLAIN.test(value) && !WORDS.has(value.toLowerCase()) ? value : JSON.stringify(value);
}

/** As Python would have it, so that a number stays one and keeps its kind. */
function rawScalar(text: string): string {
  if (/^[-+]?(?:0|[1-9]\d*)$/.test(text)) return text.replace("+", "");
  if (/^[-+]?(?=.*[.eE])(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(text))
    return floatText(Number(text));
  if (/^(?:true|false)$/i.test(text)) return text.toLowerCase();
  if (/^(?:null|none)$/i.test(text)) return "null";
  if (/^[[{]/.test(text) && isJson(text)) return text;
  return scalar(text);
}

const numberText = (value: number): string =>
  Number.isInteger(value) ? String(value) : floatText(value);

/** With a point and a signed exponent: anything else is text to YAML 1.1. */
function floatText(value: number): string {
  const [digits = "", exponent] = String(value).split("e");
  const whole = digits.includes(".") ? digits : `${digits}.0`;
  if (exponent === undefined) return whole;
  return `${whole}e${/^[-+]/.test(exponent) ? exponent : `+${exponent}`}`;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
