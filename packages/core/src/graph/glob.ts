// Globs over paths and names, matched without regular expressions, so that no pattern can take
// exponential time: `*` and `?` stay within one segment, `**` spans segments, `[a-z]`, `[!a-z]` and
// `{a,b}` work as in a shell. A leading dot is only matched by a pattern that has one.

/** A compiled pattern. */
export interface Glob {
  readonly pattern: string;
  /** Directories before the first wildcard, without trailing slash; "" when there are none. */
  readonly base: string;
  /** Text before the first wildcard; everything that matches begins with it. */
  readonly prefix: string;
  matches(path: string): boolean;
  /** True when something below this directory may match. */
  reaches(directory: string): boolean;
}

type Token =
  | { readonly type: "text"; readonly char: string }
  | { readonly type: "one" }
  | { readonly type: "many" }
  | { readonly type: "class"; readonly negated: boolean; readonly ranges: readonly string[] };

/** A segment of a path; `**` is undefined. */
type Segment = readonly Token[] | undefined;

const wildcard = /[*?[{]/;
const maximumAlternatives = 1000;

/** Whether the text has a character that makes it a pattern. */
export const isGlob = (text: string): boolean => wildcard.test(text);

/** Compiles a pattern; what is not a well-formed class or alternative stands for itself. */
export function compileGlob(pattern: string): Glob {
  const alternatives = expandBraces(pattern).map(parseSegments);
  const first = pattern.search(wildcard);
  const prefix = first < 0 ? pattern : pattern.slice(0, first);
  return {
    pattern,
    prefix,
    base: prefix.slice(0, Math.max(0, prefix.lastIndexOf("/"))),
    matches: (path) => {
      const parts = path.split("/");
      return alternatives.some((segments) => matchSegments(segments, parts, false));
    },
    reaches: (directory) => {
      if (directory === "") return true;
      const parts = directory.split("/");
      return alternatives.some((segments) => matchSegments(segments, parts, true));
    },
  };
}

/** Every combination of the alternatives in braces, outermost first. */
function expandBraces(pattern: string): readonly string[] {
  const done: string[] = [];
  const pending = [pattern];
  while (pending.length > 0 && done.length + pending.length <= maximumAlternatives) {
    const text = pending.shift() ?? "";
    const group = firstBraces(text);
    if (group === undefined) done.push(text);
    else {
      for (const choice of group.choices) {
        pending.push(text.slice(0, group.start) + choice + text.slice(group.end));
      }
    }
  }
  return [...done, ...pending];
}

/** The first balanced `{a,b}` with at least one comma at its own level. */
function firstBraces(
  text: string,
): { start: number; end: number; choices: readonly string[] } | undefined {
  for (let start = text.indexOf("{"); start >= 0; start = text.indexOf("{", start + 1)) {
    const choices: string[] = [];
    let depth = 0;
    let from = start + 1;
    for (let at = start; at < text.length; at++) {
      const char = text[at];
      if (char === "{") depth++;
      else if (char === "," && depth === 1) {
        choices.push(text.slice(from, at));
        from = at + 1;
      } else if (char === "}" && --depth === 0) {
        if (choices.length === 0) break;
        choices.push(text.slice(from, at));
        return { start, end: at + 1, choices };
      }
    }
  }
  return undefined;
}

/** A last `**` stands for at least one segment: `a/**` is what lies in `a`, not `a`. */
const parseSegments = (text: string): readonly Segment[] =>
  text
    .replace(/(^|\/)\*\*$/, "$1**/*")
    .split("/")
    .map(parseSegment);

function parseSegment(text: string): Segment {
  if (text === "**") return undefined;
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? "";
    if (char === "*") {
      if (tokens.at(-1)?.type !== "many") tokens.push({ type: "many" });
    } else if (char === "?") tokens.push({ type: "one" });
    else {
      const close = char === "[" ? text.indexOf("]", at + 2) : -1;
      if (close < 0) tokens.push({ type: "text", char });
      else {
        tokens.push(parseClass(text.slice(at + 1, close)));
        at = close;
      }
    }
  }
  return tokens;
}

function parseClass(body: string): Token {
  const negated = body.startsWith("!") || body.startsWith("^");
  const ranges: string[] = [];
  for (let at = negated ? 1 : 0; at < body.length; at++) {
    const low = body[at] ?? "";
    const isRange = body[at + 1] === "-" && at + 2 < body.length;
    ranges.push(low + (isRange ? (body[at + 2] ?? low) : low));
    if (isRange) at += 2;
  }
  return { type: "class", negated, ranges };
}

/**
 * Whether the segments match the parts of a path, or, when `partial`, those of one of its leading
 * directories. Each `**` takes as few parts as it can and is the only place to come back to.
 */
function matchSegments(
  segments: readonly Segment[],
  parts: readonly string[],
  partial: boolean,
): boolean {
  let segment = 0;
  let part = 0;
  let starSegment = -1;
  let starPart = 0;
  while (part < parts.length) {
    const pattern = segments[segment];
    if (segment < segments.length && pattern === undefined) {
      if (partial)
        return !parts.slice(part).some(isHidden) || segments.slice(segment).some(isDotted);
      starSegment = segment++;
      starPart = part;
    } else if (pattern !== undefined && matchSegment(pattern, parts[part] ?? "")) {
      segment++;
      part++;
    } else if (starSegment >= 0 && !isHidden(parts[starPart] ?? "")) {
      segment = starSegment + 1;
      part = ++starPart;
    } else return false;
  }
  if (partial) return segment < segments.length;
  return segment === segments.length;
}

const isHidden = (name: string): boolean => name.startsWith(".");

const isDotted = (segment: Segment): boolean =>
  segment?.[0]?.type === "text" && segment[0].char === ".";

function matchSegment(tokens: readonly Token[], text: string): boolean {
  if (isHidden(text) && !isDotted(tokens)) return false;
  let token = 0;
  let at = 0;
  let starToken = -1;
  let starAt = 0;
  while (at < text.length) {
    const current = tokens[token];
    if (current?.type === "many") {
      starToken = token++;
      starAt = at;
    } else if (current !== undefined && matchChar(current, text[at] ?? "")) {
      token++;
      at++;
    } else if (starToken >= 0) {
      token = starToken + 1;
      at = ++starAt;
    } else return false;
  }
  while (tokens[token]?.type === "many") token++;
  return token === tokens.length;
}

function matchChar(token: Token, char: string): boolean {
  if (token.type === "text") return token.char === char;
  if (token.type !== "class") return true;
  const inside = token.ranges.some((range) => {
    const [low = "", high = ""] = range;
    return low <= char && char <= high;
  });
  return inside !== token.negated;
}
