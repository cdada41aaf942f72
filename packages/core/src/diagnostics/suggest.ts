// "Did you mean": the nearest of some names by edit distance, or the names there are.

/** The candidate nearest to `word`, when it is near enough to be a slip; else undefined. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const limit = word.length === 2 ? 1 : Math.min(3, Math.floor(word.length / 3));
  const lower = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) > limit) continue;
    const distance = editDistance(lower, candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** The sentence for {@link nearest}, or undefined when nothing is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const found = nearest(word, candidates);
  return found === undefined ? undefined : `Did you mean \`${found}\`?`;
}

const LISTED = 8;

/** The sentence for {@link nearest}, else what there is: the first names; `none` when there is nothing. */
export function suggest(word: string, candidates: Iterable<string>, none: string): string {
  const names = [...candidates];
  if (names.length === 0) return none;
  const more = names.length > LISTED ? ", …" : "";
  return didYouMean(word, names) ?? `There is: ${names.slice(0, LISTED).join(", ")}${more}.`;
}

/** Insertions, deletions, substitutions and swaps of neighbours between two texts, at most `cap`. */
function editDistance(a: string, b: string, cap: number): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let value = Math.min(substitution, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        value = Math.min(value, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(value);
    }
    if (Math.min(...row) >= cap) return cap;
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? cap;
}
