// What of a document an import neither takes nor speaks of, so that nothing is dropped in silence.

import { asMap, type Fields } from "./imported.ts";

/**
 * The keys that are dealt with, `true` with all below them. `*` is any other key; a list is dealt with as
 * each of its maps.
 */
export type Known = true | { readonly [key: string]: Known };

/** A sentence for each map in which keys are left. */
export function leftOut(document: Fields, known: Known): readonly string[] {
  const left = new Map<string, Set<string>>();
  collect(document, known, "", left);
  return [...left].map(([place, keys]) => {
    const names = [...keys].join(", ");
    return place === "" ? `Left out: ${names}.` : `Left out of \`${place}\`: ${names}.`;
  });
}

function collect(
  value: unknown,
  known: Known,
  place: string,
  left: Map<string, Set<string>>,
): void {
  if (known === true) return;
  if (Array.isArray(value)) {
    for (const each of value) collect(each, known, place, left);
    return;
  }
  for (const [key, inner] of Object.entries(asMap(value))) {
    const next = Object.hasOwn(known, key) ? known[key] : known["*"];
    if (next === undefined) left.set(place, (left.get(place) ?? new Set<string>()).add(key));
    else collect(inner, next, place === "" ? key : `${place}.${key}`, left);
  }
}
