/** What every decision of the policy must keep to, over random situations. */
import { describe, expect } from "vitest";
import { fc, test } from "@fast-check/vitest";
import { usableBytes } from "../../src/policy/account.ts";
import {
  type Card,
  DEFAULT_SETTINGS,
  GIB,
  type Lease,
  type Situation,
  type Waiting,
} from "../../src/policy/model.ts";
import { place } from "../../src/policy/place.ts";

const bytes = fc.integer({ min: 0, max: 24 }).map((gib) => gib * GIB);

const card = (index: number): fc.Arbitrary<Card> =>
  fc
    .record({
      capacityBytes: fc.constantFrom(16 * GIB, 24 * GIB, 80 * GIB),
      foreignBytes: fc.constantFrom(0, 0, 3 * GIB, 20 * GIB),
      closed: fc.constantFrom(undefined, undefined, undefined, "drained"),
      single: fc.boolean(),
      attributed: fc.boolean(),
      model: fc.constantFrom("NVIDIA A100", "NVIDIA H100"),
      group: fc.constantFrom("a", "b"),
    })
    .map((fields) => ({ ...fields, id: `u${index}`, name: `GPU ${index}`, foreignWho: undefined }));

const waiting = (index: number): fc.Arbitrary<Waiting> =>
  fc
    .record({
      user: fc.constantFrom("anna", "ben"),
      since: fc.integer({ min: 0, max: 10_000_000 }),
      priority: fc.integer({ min: -2, max: 2 }),
      count: fc.constantFrom(1, 1, 1, 2),
      fraction: fc.constantFrom(undefined, undefined, 0.25, 0.5),
      alone: fc.constantFrom(false, false, false, true),
      model: fc.constantFrom(undefined, undefined, "A100"),
      linked: fc.boolean(),
      kind: fc.constantFrom("k1", "k2", "k3"),
      bytes: fc.option(bytes, { nil: undefined }),
      likely: fc.constantFrom(undefined, 0.5, 0.8, 1),
      load: fc.option(fc.double({ min: 0.05, max: 1, noNaN: true }), { nil: undefined }),
      durationMs: fc.option(fc.integer({ min: 1000, max: 5_000_000 }), { nil: undefined }),
    })
    .map(({ bytes: needed, likely, load, durationMs, ...fields }) => ({
      ...fields,
      fraction: fields.count === 1 ? fields.fraction : undefined,
      id: `r${index}`,
      label: `r${index}`,
      weightMs: undefined,
      among: undefined,
      need: {
        bytes: needed,
        likelyBytes: needed === undefined || likely === undefined ? undefined : needed * likely,
        load,
        durationMs,
        source: "test",
      },
    }));

const situation: fc.Arbitrary<Situation> = fc
  .record({
    cards: fc
      .integer({ min: 1, max: 4 })
      .chain((n) => fc.tuple(...Array.from({ length: n }, (_, i) => card(i)))),
    queue: fc
      .integer({ min: 1, max: 12 })
      .chain((n) => fc.tuple(...Array.from({ length: n }, (_, i) => waiting(i)))),
    careful: fc.boolean(),
  })
  .map(({ cards, queue, careful }) => ({
    cards,
    queue,
    leases: [],
    usage: new Map(),
    settings: { ...DEFAULT_SETTINGS, careful },
    now: 10_000_000,
  }));

/** What a grant becomes. */
function leasesOf(one: Situation): readonly Lease[] {
  return place(one).grants.map((grant) => {
    const request = one.queue.find(({ id }) => id === grant.id) as Waiting;
    return {
      ...grant,
      label: request.label,
      user: request.user,
      observedBytes: 0,
      settling: grant.cold,
      alone: request.alone,
      startedAt: one.now,
      durationMs: request.need.durationMs,
      kind: request.kind,
    };
  });
}

describe("a decision", () => {
  test.prop([situation])("answers everybody exactly once, and the same each time", (one) => {
    const { grants, waits } = place(one);
    const answered = [...grants, ...waits].map(({ id }) => id).sort();
    expect(answered).toEqual(one.queue.map(({ id }) => id).sort());
    expect(place(one)).toEqual({ grants, waits });
  });

  test.prop([situation])("does not depend on the order in which the queue is listed", (one) => {
    const turned = { ...one, queue: one.queue.toReversed() };
    expect(place(turned).grants).toEqual(place(one).grants);
  });

  test.prop([situation])("never promises more memory than a card has, margins pooled", (one) => {
    const leases = leasesOf(one);
    for (const each of one.cards) {
      const there = leases.filter(({ cards }) => cards.includes(each.id));
      const usable = usableBytes(each, one.settings);
      const cold = there.filter((lease) => lease.cold).length;
      const share = usable / Math.max(cold, one.settings.careful ? 1 : 3);
      const likely = (lease: Lease): number => lease.likelyBytes ?? lease.reservedBytes;
      const held = there.reduce(
        (sum, lease) => sum + (lease.cold ? share : likely(lease)),
        each.foreignBytes,
      );
      const margins = there.map((lease) => (lease.cold ? 0 : lease.reservedBytes - likely(lease)));
      expect(Math.min(0, ...margins)).toBe(0);
      if (there.length > 0) expect(held + Math.hypot(...margins)).toBeLessThanOrEqual(usable + 16);
      // By itself, a job has all that may be needed.
      const [only] = there;
      if (there.length === 1 && only?.cold === false)
        expect(each.foreignBytes + only.reservedBytes).toBeLessThanOrEqual(usable + 16);
    }
  });

  test.prop([situation])("keeps to what was asked and to what a card takes", (one) => {
    const leases = leasesOf(one);
    for (const lease of leases) {
      const request = one.queue.find(({ id }) => id === lease.id) as Waiting;
      const cards = one.cards.filter(({ id }) => lease.cards.includes(id));
      expect(cards).toHaveLength(request.count);
      if (request.linked) expect(new Set(cards.map(({ group }) => group)).size).toBe(1);
      for (const each of cards) {
        expect(each.closed).toBeUndefined();
        if (request.model !== undefined) expect(each.model).toContain(request.model);
        const beside = leases.filter(({ cards: theirs }) => theirs.includes(each.id)).length;
        if (each.single || request.alone) expect(beside).toBe(1);
      }
    }
  });

  test.prop([situation])("never loads a shared card beyond the cap", (one) => {
    const leases = leasesOf(one);
    for (const each of one.cards) {
      const there = leases.filter(({ cards }) => cards.includes(each.id));
      const load = there.reduce((sum, lease) => sum + lease.load, 0);
      if (there.length > 1) expect(load).toBeLessThanOrEqual(one.settings.loadCap + 1e-6);
    }
  });

  test.prop([situation])("gives everybody a turn as long as jobs end", (one) => {
    const open = one.cards.map((each) => ({ ...each, closed: undefined, foreignBytes: 0 }));
    const fits = ({ need, model, linked, count }: Waiting): boolean => {
      const able = open.filter(
        (each) =>
          (need.bytes ?? 0) <= usableBytes(each, one.settings) &&
          (model === undefined || each.model.includes(model)),
      );
      const groups = ["a", "b"].map((group) => able.filter((each) => each.group === group).length);
      return linked ? Math.max(...groups) >= count : able.length >= count;
    };
    let queue = one.queue.filter(fits);
    let leases: readonly Lease[] = [];
    let now = one.now;
    for (let round = 0; round < 40 && queue.length > 0; round++) {
      const current = { ...one, cards: open, queue, leases, now };
      const granted = leasesOf(current);
      leases = [...leases, ...granted];
      queue = queue.filter(({ id }) => !granted.some((lease) => lease.id === id));
      leases = leases.slice(1);
      now += 60_000;
    }
    expect(queue).toEqual([]);
  });
});
