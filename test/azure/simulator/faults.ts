/**
 * Faults on the wire, scripted or drawn from a seed: answers instead of effects, effects without answers,
 * cut bodies, stale, shuffled and short lists.
 */
import type { Wire } from "./wire.ts";

export type Fault =
  /** Answers with an error instead of doing anything. */
  | {
      readonly kind: "refuse";
      readonly status: number;
      readonly code: string;
      /** Seconds; absent leaves the header out. */
      readonly retryAfter?: number;
    }
  /** Cuts the connection before anything is done. */
  | { readonly kind: "disconnect" }
  /** Does what was asked, then cuts the connection. */
  | { readonly kind: "lose-answer" }
  /** Does what was asked, then answers 500 `OperationTimedOut`. */
  | { readonly kind: "time-out-after" }
  /** Sends a part of the body, then cuts the connection. */
  | { readonly kind: "cut-body" }
  /** Tells the test before anything is done, then goes on as if nothing was. */
  | { readonly kind: "tell"; readonly tell: () => void };

export interface FaultRule {
  /** Operations by their official names, such as `Task_AddCollection`; all of them if absent. */
  readonly operation?: string | RegExp;
  readonly fault: Fault;
  /** How often; once if absent. */
  readonly times?: number;
  /** Matching requests that are let through first. */
  readonly after?: number;
}

interface OpenRule {
  readonly rule: FaultRule;
  after: number;
  times: number;
}

export class Faults {
  /** The most entries on one page of a list. */
  pageSize: number | undefined;
  /** How old a list may be, in milliseconds. */
  staleMs = 0;
  readonly #now: () => number;
  readonly #rules: OpenRule[] = [];
  readonly #lists = new Map<string, { readonly at: number; readonly entries: readonly Wire[] }>();
  #draw: { readonly random: () => number; readonly rate: number } | undefined;
  #shuffle: number | undefined;
  #drawn = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** How many faults the storm has drawn so far. */
  get drawn(): number {
    return this.#drawn;
  }

  /** Adds a scripted fault; the first rule that matches a request is used. */
  inject(rule: FaultRule): void {
    this.#rules.push({ rule, after: rule.after ?? 0, times: rule.times ?? 1 });
  }

  /** From now on each request meets a fault with probability `rate`; the same seed draws the same ones. */
  storm(seed: number, rate: number): void {
    this.#draw = { random: generator(seed), rate };
  }

  /** Ends a storm and drops the rules that are left. */
  calm(): void {
    this.#draw = undefined;
    this.#shuffle = undefined;
    this.#rules.length = 0;
    this.staleMs = 0;
    this.pageSize = undefined;
  }

  /** Gives lists in an order drawn from a seed; it stays the same from page to page. */
  shuffle(seed: number): void {
    this.#shuffle = seed;
  }

  /** The fault that a request meets, if any. */
  next(operation: string): Fault | undefined {
    for (const open of this.#rules) {
      if (open.times === 0 || !matches(open.rule.operation, operation)) continue;
      if (open.after > 0) {
        open.after -= 1;
        continue;
      }
      open.times -= 1;
      return open.rule.fault;
    }
    if (this.#draw === undefined || this.#draw.random() >= this.#draw.rate) return undefined;
    this.#drawn += 1;
    return STORM[Math.floor(this.#draw.random() * STORM.length)];
  }

  /** A list as clients get to see it. */
  arrange(name: string, entries: readonly Wire[]): readonly Wire[] {
    const seen = this.#fresh(name, entries);
    const seed = this.#shuffle;
    if (seed === undefined) return seen;
    return seen
      .map((entry) => ({ entry, key: placeOf(entry, seed) }))
      .sort((a, b) => a.key - b.key)
      .map(({ entry }) => entry);
  }

  #fresh(name: string, entries: readonly Wire[]): readonly Wire[] {
    if (this.staleMs === 0) return entries;
    const old = this.#lists.get(name);
    if (old !== undefined && this.#now() - old.at < this.staleMs) return old.entries;
    this.#lists.set(name, { at: this.#now(), entries });
    return entries;
  }
}

/** A number that depends on the seed and on what the entry is called. */
function placeOf(entry: Wire, seed: number): number {
  const { id, name, taskId, nodeAgentSKUId } = entry;
  const text = JSON.stringify([id, name, taskId, nodeAgentSKUId]);
  let mixed = seed;
  for (const char of text) mixed = (Math.imul(mixed, 31) + char.charCodeAt(0)) | 0;
  return generator(mixed)();
}

const STORM: readonly Fault[] = [
  { kind: "refuse", status: 503, code: "ServerBusy" },
  { kind: "refuse", status: 503, code: "ServerBusy", retryAfter: 1 },
  { kind: "refuse", status: 429, code: "TooManyRequests", retryAfter: 1 },
  { kind: "refuse", status: 500, code: "InternalError" },
  { kind: "disconnect" },
  { kind: "lose-answer" },
  { kind: "time-out-after" },
  { kind: "cut-body" },
];

const matches = (wanted: string | RegExp | undefined, operation: string): boolean =>
  wanted === undefined ||
  (typeof wanted === "string" ? wanted === operation : wanted.test(operation));

/** Numbers in [0, 1) that only depend on the seed. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
