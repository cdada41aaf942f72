/** What the course of a job's memory teaches: its own reservation while it runs, its siblings' before. */
import { describe, expect, it } from "vitest";
import { Allocator, type Ask } from "../../src/policy/allocator.ts";
import { type Card, DEFAULT_SETTINGS, GIB } from "../../src/policy/model.ts";
import { ProfileBook, type Sample } from "../../src/policy/profile.ts";
import { unknownJob } from "../unknown-job.ts";

const CARD: Card = {
  id: "u0",
  name: "GPU 0",
  model: "NVIDIA A100",
  capacityBytes: 24 * GIB,
  foreignBytes: 0,
  foreignWho: undefined,
  closed: undefined,
  single: false,
  attributed: true,
  group: "a",
};

const ask = (id: string, changes: Partial<Ask> = {}): Ask =>
  unknownJob(id, { identity: { keys: ["train"], params: {} }, declaredLoad: 0.1, ...changes });

/** A run that was steady at 4 GiB and reached its peak after 100 seconds. */
const run = (peak: number, changes: Partial<Sample> = {}): Sample => ({
  peakBytes: peak * GIB,
  load: 0.1,
  durationMs: 300_000,
  peakAfterMs: 100_000,
  steadyBytes: 4 * GIB,
  source: "process",
  params: {},
  ...changes,
});

function allocatorWith(samples: readonly Sample[]): Allocator {
  const allocator = new Allocator(DEFAULT_SETTINGS, new ProfileBook([["train", rowOf(samples)]]));
  allocator.cards = [CARD];
  return allocator;
}

const rowOf = (
  samples: readonly Sample[],
): { samples: readonly Sample[]; early: undefined; floorBytes: number } => ({
  samples,
  early: undefined,
  floorBytes: 0,
});

/** The job takes so much at once and holds it for so many seconds; answers what is kept for it, in GiB. */
function keptAfter(allocator: Allocator, id: string, gib: number, seconds: number): number {
  for (let second = 1; second <= seconds; second++)
    allocator.observe(id, { bytes: gib * GIB, load: 0.1, source: "process" }, second * 1000);
  return (allocator.leases.find((lease) => lease.id === id)?.reservedBytes ?? 0) / GIB;
}

describe("the reservation of a running job", () => {
  const samples = [run(6), run(8), run(8), run(6)];

  it("follows how much more its kind took than when first steady", () => {
    const allocator = allocatorWith(samples);
    allocator.ask(ask("small"));
    allocator.pass(0);
    expect(keptAfter(allocator, "small", 2, 10)).toBeCloseTo(7 + 1.5 * 1.155 * 1.25 + 0.05, 1);
    // Twice what it holds, because its kind doubled at most.
    expect(keptAfter(allocator, "small", 2, 30)).toBeCloseTo(2 * 2 * 1.02 + 0.05, 6);
  });

  it("grows before the memory does when the job is larger than its kind", () => {
    const allocator = allocatorWith(samples);
    allocator.ask(ask("large"));
    allocator.pass(0);
    expect(keptAfter(allocator, "large", 6, 30)).toBeCloseTo(6 * 2 * 1.02 + 0.05, 6);
  });

  it("is what it holds once it is well past the time its kind took to the peak", () => {
    const allocator = allocatorWith(samples);
    allocator.ask(ask("old"));
    allocator.pass(0);
    expect(keptAfter(allocator, "old", 3, 126)).toBeCloseTo(3 * 1.02 + 0.05, 6);
  });

  it("stays as declared, and as learned from runs whose course was not seen", () => {
    const declared = allocatorWith(samples);
    declared.ask(ask("declared", { declaredBytes: 12 * GIB }));
    declared.pass(0);
    expect(keptAfter(declared, "declared", 2, 200)).toBe(12);
    const unseen = { peakAfterMs: undefined, steadyBytes: undefined };
    const learned = allocatorWith([run(6, unseen), run(6, unseen)]);
    learned.ask(ask("learned"));
    learned.pass(0);
    expect(keptAfter(learned, "learned", 2, 200)).toBeCloseTo(6 * 1.1 + 0.15, 6);
  });
});

describe("the need of a kind", () => {
  it("has a margin that one job by itself keeps whole and several share", () => {
    // 7 GiB on average with one of deviation: 8.85 GiB by itself.
    const allocator = allocatorWith([run(6), run(8), run(6), run(8), run(7)]);
    for (const id of ["a", "b", "c"]) allocator.ask(ask(id));
    const [first] = allocator.pass(0).grants;
    expect((first?.likelyBytes ?? 0) / GIB).toBeCloseTo(7, 6);
    expect((first?.reservedBytes ?? 0) / GIB).toBeCloseTo(7 + 1.5 * 1.2 + 0.05, 6);
    // 14 GiB and the root of twice 1.85² are 16.6 GiB; a third makes 24.2 GiB.
    expect(allocator.leases.map(({ id }) => id)).toEqual(["a", "b"]);
  });

  it("is not raised by its largest job once several have ended", () => {
    const identity = { keys: ["train"], params: {} };
    const known = [run(6), run(8), run(7)];
    for (const samples of [known.slice(0, 2), known]) {
      const book = new ProfileBook([["train", rowOf(samples)]]);
      const before = book.estimate(identity);
      book.raise(identity, 20 * GIB);
      book.foresee(identity, 18 * GIB, 0.1);
      const { bytes = 0 } = book.estimate(identity);
      expect(bytes / GIB).toBe(samples === known ? (before.bytes ?? 0) / GIB : 20);
    }
  });

  it("follows a change of the program after three runs", () => {
    const samples = [...Array.from({ length: 20 }, () => run(4)), run(9), run(9)];
    const gibOf = (all: readonly Sample[]): number =>
      (new ProfileBook([["train", rowOf(all)]]).estimate({ keys: ["train"], params: {} }).bytes ??
        0) / GIB;
    expect(gibOf(samples)).toBeLessThan(7);
    expect(gibOf([...samples, run(9)])).toBeCloseTo(9.05, 6);
  });
});
