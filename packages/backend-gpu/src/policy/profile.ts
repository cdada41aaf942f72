// What jobs needed when they ran, and what that says about the next one like them. A job has keys
// from the most exact (this very command) to the most general (its script); the most exact that
// knows something speaks.

import { GIB, MIB, type Need } from "./model.ts";

/** How the peak of a sample was seen, best first. */
export type SampleSource = "in-process" | "accounting" | "process" | "device";

/** One job that ran to its end. */
export interface Sample {
  readonly peakBytes: number;
  /** Absent where it could not be seen. */
  readonly load: number | undefined;
  readonly durationMs: number | undefined;
  /** From its start until its memory grew for the last time; absent where it could not be seen. */
  readonly peakAfterMs?: number | undefined;
  /** What it held when its memory first was steady; absent where it never was. */
  readonly steadyBytes?: number | undefined;
  readonly source: SampleSource;
  /** Numbers among its parameters that may explain its memory, such as the batch size. */
  readonly params: Readonly<Record<string, number>>;
}

/** How the memory of a running job went so far. */
export interface Course {
  readonly observedBytes: number;
  /** What it held when its memory first was steady. */
  readonly steadyBytes: number;
  readonly ageMs: number;
}

/** What is known under one key. */
export interface Row {
  readonly samples: readonly Sample[];
  /** Running jobs whose memory has become steady; replaced by a sample when they end. */
  readonly early: { readonly peakBytes: number; readonly load: number | undefined } | undefined;
  /** A job ran out of memory with this much. */
  readonly floorBytes: number;
}

/** Who a job is to the profiles. */
export interface Identity {
  /** Most exact first; at least one. */
  readonly keys: readonly string[];
  readonly params: Readonly<Record<string, number>>;
}

/** Samples kept under one key. */
const KEPT = 32;
const FEW = 3;
const EXTRA_BYTES: number = 0.15 * GIB;
const MARGIN = 1.04;
const FEW_MARGIN = 1.1;
const FEW_OF_FAMILY_MARGIN = 1.3;
/** Standard deviations above the mean that are reserved where enough samples tell them. */
const DEVIATIONS = 1.5;
/** Readings of one and the same job differ by this much. */
const NOISE_BYTES: number = 0.05 * GIB;
/** Runs of a kind after which the course of its memory is believed. */
const COURSES = 2;
const COURSE_MARGIN = 1.02;
const EARLY_MARGIN = 1.2;
/** A job that has run so much longer than any of its kind took to their peak has reached its own. */
const PAST_PEAK = 1.25;
const EARLY_EXTRA_BYTES: number = 0.3 * GIB;
/** Distinct values of a parameter that a line through them needs. */
const LINE_POINTS = 4;

const EMPTY: Row = { samples: [], early: undefined, floorBytes: 0 };

/** What an early profile makes of the memory a running job holds steadily. */
export const earlyReservation = (peakBytes: number): number =>
  peakBytes * EARLY_MARGIN + EARLY_EXTRA_BYTES;

/** All that is known, by key. Mutable; whoever owns it saves it. */
export class ProfileBook {
  readonly #rows: Map<string, Row>;
  /** What was worked out since the last change. */
  readonly #estimates = new Map<string, Need>();
  #version = 0;

  constructor(rows: Iterable<readonly [string, Row]> = []) {
    this.#rows = new Map(rows);
  }

  /** Grows with every change. */
  get version(): number {
    return this.#version;
  }

  rows(): ReadonlyMap<string, Row> {
    return this.#rows;
  }

  /** A job ended well. */
  learn({ keys }: Identity, sample: Sample): void {
    for (const key of keys)
      this.#change(key, (row) => ({
        samples: [...row.samples, sample].slice(-KEPT),
        early: undefined,
        floorBytes: sample.peakBytes > row.floorBytes ? 0 : row.floorBytes,
      }));
  }

  /** A running job's memory has become steady, or has grown since. */
  foresee({ keys }: Identity, peakBytes: number, load: number | undefined): void {
    for (const key of keys)
      this.#change(key, (row) => ({
        ...row,
        early: {
          peakBytes: Math.max(peakBytes, row.early?.peakBytes ?? 0),
          load: load ?? row.early?.load,
        },
      }));
  }

  /** A job needs at least this much, as running out of memory showed. */
  raise({ keys }: Identity, bytes: number): void {
    const [exact] = keys;
    if (exact === undefined) return;
    this.#change(exact, (row) => ({ ...row, floorBytes: Math.max(row.floorBytes, bytes) }));
  }

  /** Sets what is known under a key, as when profiles are imported. */
  put(key: string, row: Row): void {
    this.#changed();
    this.#rows.set(key, row);
  }

  forget(key: string): boolean {
    this.#changed();
    return this.#rows.delete(key);
  }

  /** What a job like this is expected to need; bytes are absent when nothing is known. */
  estimate(identity: Identity): Need {
    const name = nameOf(identity);
    const known = this.#estimates.get(name);
    if (known !== undefined) return known;
    const estimate = this.#estimate(identity);
    this.#estimates.set(name, estimate);
    return estimate;
  }

  #estimate(identity: Identity): Need {
    const rows = identity.keys.map((key) => this.#rows.get(key) ?? EMPTY);
    const level = rows.findIndex(({ samples }) => samples.length > 0);
    const early = rows.find((row) => row.early !== undefined)?.early;
    const floorBytes = rows[0]?.floorBytes ?? 0;
    const row = rows[level];
    // One that still runs, or ran out of memory, may be the largest of its kind: once several of the
    // very same kind have ended, it says nothing of the next one. What ran out keeps its own floor.
    const isKnown = level === 0 && (row?.samples.length ?? 0) >= FEW;
    const known =
      row === undefined
        ? { bytes: 0, likelyBytes: 0 }
        : reservation(row.samples, level > 0, identity.params);
    // Where jobs have ended, one that still runs only shows that more may be needed.
    const foreseen =
      early === undefined
        ? 0
        : row === undefined
          ? earlyReservation(early.peakBytes)
          : early.peakBytes * MARGIN;
    const shown = isKnown ? 0 : Math.max(foreseen, floorBytes);
    const bytes = Math.max(known.bytes, shown);
    return {
      bytes: bytes > 0 ? bytes : undefined,
      likelyBytes: Math.max(known.likelyBytes, shown),
      load: row === undefined ? early?.load : mean(row.samples, ({ load }) => load),
      durationMs: row === undefined ? undefined : mean(row.samples, ({ durationMs }) => durationMs),
      source: source(row, level, early !== undefined, floorBytes > 0),
    };
  }

  /**
   * What a running job will hold at its end, from the course that the memory of its kind took: as
   * many times what it held when first steady, and nothing more once it has run for longer than any
   * of them took to their peak. Undefined while too few have shown a course.
   */
  foretell({ keys }: Identity, { observedBytes, steadyBytes, ageMs }: Course): number | undefined {
    for (const key of keys) {
      const samples = this.#rows.get(key)?.samples ?? [];
      const times = samples.flatMap(({ peakAfterMs }) => peakAfterMs ?? []);
      const growths = samples.flatMap((one) =>
        one.steadyBytes ? [one.peakBytes / one.steadyBytes] : [],
      );
      const isPast = times.length >= COURSES && ageMs >= PAST_PEAK * Math.max(...times);
      if (!isPast && growths.length < COURSES) continue;
      const peak = isPast ? 0 : steadyBytes * Math.max(...growths);
      return Math.max(observedBytes, peak) * COURSE_MARGIN + NOISE_BYTES;
    }
    return undefined;
  }

  #changed(): void {
    this.#version++;
    this.#estimates.clear();
  }

  #change(key: string, change: (row: Row) => Row): void {
    this.#changed();
    this.#rows.set(key, change(this.#rows.get(key) ?? EMPTY));
  }
}

/** Jobs of one name are expected to need the same. */
function nameOf(identity: Identity): string {
  let name = names.get(identity);
  if (name === undefined) {
    name = JSON.stringify(identity);
    names.set(identity, name);
  }
  return name;
}

const names = new WeakMap<Identity, string>();

function source(row: Row | undefined, level: number, early: boolean, floor: boolean): string {
  if (row !== undefined) {
    const runs = row.samples.length === 1 ? "1 run" : `${row.samples.length} runs`;
    return level === 0 ? runs : `${runs} of its kind`;
  }
  if (early) return "one of its kind that is running";
  return floor ? "an attempt that ran out of memory" : "nothing yet";
}

interface Reservation {
  readonly bytes: number;
  readonly likelyBytes: number;
}

function reservation(
  samples: readonly Sample[],
  isFamily: boolean,
  params: Identity["params"],
): Reservation {
  const fitted = lineThrough(samples, params);
  if (fitted !== undefined) return { bytes: fitted, likelyBytes: fitted };
  const peaks = samples.map(({ peakBytes }) => peakBytes);
  const highest = Math.max(...peaks);
  if (peaks.length < FEW)
    return {
      bytes: highest * (isFamily ? FEW_OF_FAMILY_MARGIN : FEW_MARGIN) + EXTRA_BYTES,
      likelyBytes: highest,
    };
  const average = peaks.reduce((sum, peak) => sum + peak, 0) / peaks.length;
  const deviation = deviationOf(peaks, average);
  // What all of the last ones took is what such jobs take since they were changed.
  const lately = Math.min(...peaks.slice(-FEW));
  // Jobs of a family differ by what they are told to do, not by chance alone: its highest is no limit.
  const bytes = isFamily
    ? highest * MARGIN + Math.min(deviation, 0.5 * highest) + EXTRA_BYTES
    : Math.max(average + DEVIATIONS * deviation * (1 + 1 / peaks.length), lately) + NOISE_BYTES;
  return { bytes, likelyBytes: isFamily ? average : Math.max(average, lately) };
}

function deviationOf(values: readonly number[], average: number): number {
  const squares = values.reduce((sum, value) => sum + (value - average) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}

/**
 * Memory as a + b·x of one parameter, where the samples lie on such a line: a sweep over the batch
 * size then starts right at once. Undefined where no line fits better than the highest peak.
 */
function lineThrough(samples: readonly Sample[], params: Identity["params"]): number | undefined {
  for (const [name, at] of Object.entries(params)) {
    const points = samples.flatMap(({ params: their, peakBytes }) => {
      const x = their[name];
      return x === undefined ? [] : [{ x, y: peakBytes }];
    });
    if (new Set(points.map(({ x }) => x)).size < LINE_POINTS) continue;
    const n = points.length;
    const meanX = points.reduce((sum, { x }) => sum + x, 0) / n;
    const meanY = points.reduce((sum, { y }) => sum + y, 0) / n;
    const sxx = points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
    const slope = points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0) / sxx;
    const residuals = points.map(({ x, y }) => y - meanY - slope * (x - meanX));
    const error = Math.sqrt(residuals.reduce((sum, each) => sum + each ** 2, 0) / (n - 2));
    if (error > 0.1 * meanY) continue;
    const spread = error * 2 * Math.sqrt(1 + 1 / n + (at - meanX) ** 2 / sxx);
    const bytes = meanY + slope * (at - meanX) + spread + EXTRA_BYTES;
    if (bytes > 256 * MIB) return bytes;
  }
  return undefined;
}

function mean(
  samples: readonly Sample[],
  value: (sample: Sample) => number | undefined,
): number | undefined {
  const seen = samples.flatMap((sample) => value(sample) ?? []);
  return seen.length === 0 ? undefined : seen.reduce((sum, each) => sum + each, 0) / seen.length;
}
