// How what is there now differs from what the last success saw, as reasons.

import { canonical, sha256, shorten } from "./fingerprint.ts";
import { depId } from "./inputs.ts";
import type { DepState, Fingerprint, Reason, RecipePart, Trace } from "./trace.ts";

/** Changes of the recipe, part by part, with what changed inside a part where that can be told. */
export function compareRecipes(before: Fingerprint, now: Fingerprint): readonly Reason[] {
  if (before.digest === now.digest) return [];
  const reasons: Reason[] = [];
  for (const part of Object.keys(now.parts) as RecipePart[]) {
    if (before.parts[part] === now.parts[part]) continue;
    const changes = differences(describe(before, part), describe(now, part));
    for (const [name, old, next] of changes) {
      reasons.push({ component: part, name, old, new: next });
    }
    // Only what is too long to be kept differs, or the format of the hashes does.
    if (changes.length === 0) {
      reasons.push({ component: part, name: "", old: before.parts[part], new: now.parts[part] });
    }
  }
  return reasons;
}

function describe({ recipe }: Fingerprint, part: RecipePart): Readonly<Record<string, string>> {
  if (part === "env" || part === "track") return recipe[part];
  if (part === "actions") {
    const entries = recipe.actions.map((text, index) => [String(index + 1), text] as const);
    return Object.fromEntries(entries);
  }
  const text = recipe[part];
  return text === undefined ? {} : { "": text === "" ? "." : text };
}

type Difference = readonly [name: string, old: string | undefined, next: string | undefined];

function differences(
  before: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
): readonly Difference[] {
  const names = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...names].flatMap((name): Difference[] =>
    before[name] === now[name] ? [] : [[name, before[name], now[name]]],
  );
}

/** Deps that are new, gone, or hold something else. */
export function compareDeps(
  before: readonly DepState[],
  now: readonly DepState[],
): readonly Reason[] {
  const reasons: Reason[] = [];
  const old = new Map(before.map((state) => [depId(state), state]));
  // A path may be named twice, by itself and by a glob.
  for (const [id, state] of new Map(now.map((one) => [depId(one), one]))) {
    const earlier = old.get(id);
    old.delete(id);
    if (earlier === undefined) {
      reasons.push({ component: "dep-added", name: id, old: undefined, new: state.digest });
    } else if (earlier.digest !== state.digest) reasons.push(...compareContent(id, earlier, state));
  }
  for (const [id, { digest }] of old) {
    reasons.push({ component: "dep-removed", name: id, old: digest, new: undefined });
  }
  return reasons;
}

function compareContent(id: string, before: DepState, now: DepState): readonly Reason[] {
  const changes = differences(before.values ?? {}, now.values ?? {});
  if (changes.length === 0) {
    return [{ component: "dep-content", name: id, old: before.digest, new: now.digest }];
  }
  return changes.map(([key, old, next]) => ({
    component: "dep-content",
    name: `${now.path}: ${key}`,
    old,
    new: next,
  }));
}

/** A short text that stands for a used value: itself, or as much as is worth showing. */
export const valueText = (value: unknown): string => shorten(canonical(value));

/** Used values that differ. */
export function compareValues(
  before: Readonly<Record<string, string>>,
  now: Readonly<Record<string, unknown>>,
): readonly Reason[] {
  const texts = Object.fromEntries(
    Object.entries(now).map(([name, value]) => [name, valueText(value)]),
  );
  return differences(before, texts).map(([name, old, next]) => ({
    component: "value",
    name,
    old,
    new: next,
  }));
}

/** Budget parameters that were raised; anything else about them makes no difference. */
export function compareBudget(
  before: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
): readonly Reason[] {
  return differences(before, now).flatMap(([name, old, next]): Reason[] =>
    old !== undefined && next !== undefined && Number(next) > Number(old)
      ? [{ component: "budget", name, old, new: next }]
      : [],
  );
}

/** Identity of inputs: equal for attempts that may continue one another. */
export function identityOf(
  { digest }: Fingerprint,
  deps: readonly DepState[],
  values: Readonly<Record<string, unknown>>,
): string {
  const states = deps.map((state) => `${depId(state)}\t${state.digest}`).sort();
  return sha256([digest, ...states, canonical(values)].join("\n")).slice(0, 32);
}

/** What the record of a success vouches for, by the names that {@link depId} gives. */
export function knownDeps(trace: Trace | undefined): ReadonlyMap<string, DepState> {
  return new Map(trace?.deps.map((state) => [depId(state), state]));
}
