// What differs between two texts, line by line, in the form of `diff -u`. Myers' algorithm; texts that
// have little in common are shown as one replacing the other.

/** Edits beyond which texts count as wholly different. */
const MOST_EDITS = 1000;
const CONTEXT = 3;

interface Line {
  readonly sign: " " | "-" | "+";
  readonly text: string;
}

/** Lines without newlines; empty when the texts are equal. */
export function unifiedDiff(before: string, after: string): readonly string[] {
  if (before === after) return [];
  const lines = edits(linesOf(before), linesOf(after));
  const shown: string[] = [];
  let [oldLine, newLine] = [1, 1];
  const positions = lines.map((line) => {
    const position = [oldLine, newLine] as const;
    if (line.sign !== "+") oldLine += 1;
    if (line.sign !== "-") newLine += 1;
    return position;
  });
  for (let at = 0; at < lines.length; ) {
    const change = lines.findIndex(({ sign }, index) => index >= at && sign !== " ");
    if (change === -1) break;
    const from = Math.max(at, change - CONTEXT);
    const to = endOfHunk(lines, change);
    const hunk = lines.slice(from, to);
    const [oldStart, newStart] = positions[from] ?? [1, 1];
    const oldCount = hunk.filter(({ sign }) => sign !== "+").length;
    const newCount = hunk.filter(({ sign }) => sign !== "-").length;
    shown.push(`@@ -${oldStart},${oldCount} +${newStart},${newCount} @@`);
    for (const { sign, text } of hunk) shown.push(`${sign}${text}`);
    at = to;
  }
  return shown;
}

/** Past the last line of context; changes with little between them share a hunk. */
function endOfHunk(lines: readonly Line[], change: number): number {
  let last = change;
  for (let at = change; at < lines.length && at <= last + 2 * CONTEXT; at += 1) {
    if (lines[at]?.sign !== " ") last = at;
  }
  return Math.min(lines.length, last + CONTEXT + 1);
}

function linesOf(text: string): readonly string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** The shortest script from one to the other, equal lines included. */
function edits(before: readonly string[], after: readonly string[]): readonly Line[] {
  const trail = furthestPaths(before, after);
  if (trail === undefined) {
    return [
      ...before.map((text): Line => ({ sign: "-", text })),
      ...after.map((text): Line => ({ sign: "+", text })),
    ];
  }
  const lines: Line[] = [];
  let [x, y] = [before.length, after.length];
  for (let edit = trail.length - 1; edit >= 0; edit -= 1) {
    const furthest = trail[edit] as ReadonlyMap<number, number>;
    const k = x - y;
    const fromAbove = goesDown(furthest, k, edit);
    const previous = fromAbove ? k + 1 : k - 1;
    const previousX = furthest.get(previous) ?? 0;
    const previousY = previousX - previous;
    while (x > Math.max(previousX, 0) && y > Math.max(previousY, 0)) {
      x -= 1;
      y -= 1;
      lines.push({ sign: " ", text: before[x] ?? "" });
    }
    if (edit === 0) break;
    if (fromAbove) lines.push({ sign: "+", text: after[previousY] ?? "" });
    else lines.push({ sign: "-", text: before[previousX] ?? "" });
    [x, y] = [previousX, previousY];
  }
  return lines.reverse();
}

/** Per number of edits, how far each diagonal had come before; undefined beyond {@link MOST_EDITS}. */
function furthestPaths(
  before: readonly string[],
  after: readonly string[],
): readonly ReadonlyMap<number, number>[] | undefined {
  const trail: ReadonlyMap<number, number>[] = [];
  const furthest = new Map<number, number>([[1, 0]]);
  for (let edit = 0; edit <= MOST_EDITS; edit += 1) {
    trail.push(new Map(furthest));
    for (let k = -edit; k <= edit; k += 2) {
      let x = goesDown(furthest, k, edit)
        ? (furthest.get(k + 1) ?? 0)
        : (furthest.get(k - 1) ?? 0) + 1;
      while (x < before.length && x - k < after.length && before[x] === after[x - k]) x += 1;
      furthest.set(k, x);
      if (x >= before.length && x - k >= after.length) return trail;
    }
  }
  return undefined;
}

const goesDown = (furthest: ReadonlyMap<number, number>, k: number, edit: number): boolean =>
  k === -edit || (k !== edit && (furthest.get(k - 1) ?? -1) < (furthest.get(k + 1) ?? -1));
