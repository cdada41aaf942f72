// What a drill does to a task, and when.

/** How the work of a task can be cut short. */
export const WAYS = ["stop", "cancel", "limit", "kill", "leave"] as const;

export type Way = (typeof WAYS)[number];

/** What each way is to the program. */
export const WAY_MEANINGS: Readonly<Record<Way, string>> = {
  stop: "asked to stop, as a scheduler does before it takes the node",
  cancel: "asked to stop by a person",
  limit: "given half the time it needs, again and again",
  kill: "killed without a warning, as when the node fails",
  leave: "left by flow, and found again",
};

/** When: a part of the whole work, or a time since its start. */
export type Moment = { readonly part: number } | { readonly afterMs: number };

export interface Scenario {
  readonly way: Way;
  /** Undefined for `limit`, which has no moment of its own. */
  readonly at: Moment | undefined;
}

const USUAL: Readonly<Record<Way, readonly number[]>> = {
  stop: [0.1, 0.5, 0.9],
  cancel: [0.5],
  limit: [],
  kill: [0.3, 0.7],
  leave: [0.5],
};

/** Every way at its usual moments, or at the given ones. */
export const scenarios = (
  ways: readonly Way[],
  moments: readonly Moment[] | undefined,
): readonly Scenario[] =>
  ways.flatMap((way): readonly Scenario[] => {
    if (way === "limit") return [{ way, at: undefined }];
    return (moments ?? USUAL[way].map((part) => ({ part }))).map((at) => ({ way, at }));
  });

/** `50%`, `3s`; undefined when it is neither. */
export function readMoment(
  text: string,
  parseDuration: (text: string) => number | undefined,
): Moment | undefined {
  const [, percent] = /^(\d+(?:\.\d+)?)%$/.exec(text) ?? [];
  if (percent !== undefined)
    return Number(percent) <= 100 ? { part: Number(percent) / 100 } : undefined;
  const afterMs = parseDuration(text);
  return afterMs === undefined ? undefined : { afterMs };
}
