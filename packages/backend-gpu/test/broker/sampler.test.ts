/** Whose memory it is: with every process in view, with processes that end, and with none to be seen. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Mark, Processes } from "../../src/broker/processes.ts";
import { Sampler } from "../../src/broker/sampler.ts";
import { Allocator } from "../../src/policy/allocator.ts";
import { DEFAULT_SETTINGS, GIB, type Lease } from "../../src/policy/model.ts";
import { ProfileBook } from "../../src/policy/profile.ts";
import type { GpuProcess, GpuReading } from "../../src/reader/reader.ts";
import { unknownJob } from "../unknown-job.ts";

const CARD = "GPU-0";
const JOB = 10;
const STRANGER = 20;

let allocator: Allocator;
let sampler: Sampler;
let now: number;
let reading: GpuReading;
let alive: Map<number, Mark | undefined>;

const processes: Processes = {
  markOf: (pid) => alive.get(pid),
  exists: (pid) => alive.has(pid),
  parentOf: () => undefined,
  holderOf: () => undefined,
  describe: (pid) => `pid ${pid} python (anna)`,
  marks: () => [],
};

beforeEach(() => {
  now = 0;
  alive = new Map();
  reading = { id: CARD, usedBytes: 0, load: undefined, processes: [], lost: undefined };
  allocator = new Allocator(DEFAULT_SETTINGS, new ProfileBook());
  const gpu = {
    id: CARD,
    index: 0,
    model: "Fake",
    capacityBytes: 24 * GIB,
    single: false,
    unusable: undefined,
    group: "bridge",
  };
  const reader = {
    source: "nvml" as const,
    gpus: [gpu],
    read: () => Promise.resolve([reading]),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  sampler = new Sampler(reader, allocator, processes);
  sampler.publish();
});

/** What the card shows: memory in GiB, and who holds how much of it. */
async function look(usedGib: number, held: readonly GpuProcess[] | undefined): Promise<void> {
  reading = { ...reading, usedBytes: usedGib * GIB, processes: held };
  now += 1000;
  await sampler.look(() => now);
}

const holds = (pid: number, gib: number): GpuProcess => ({ pid, bytes: gib * GIB });

/** Asks for a place for a job that nobody knows; what came of it. */
function ask(id: string): "granted" | readonly string[] {
  allocator.ask(unknownJob(id, { user: "me", since: now }));
  const { grants, waits } = allocator.pass(now);
  if (grants.length > 0) return "granted";
  return waits.flatMap(({ obstacles }) => obstacles.map(({ obstacle }) => obstacle.type));
}

const leaseOf = (id: string): Lease | undefined => allocator.leases.find((one) => one.id === id);
const observed = (id: string): number => (leaseOf(id)?.observedBytes ?? 0) / GIB;
const foreign = (): number => (allocator.cards[0]?.foreignBytes ?? 0) / GIB;
const end = (id: string): unknown =>
  allocator.end(id, { succeeded: true, outOfMemory: undefined, peakBytes: undefined }, now);

/** A job with a lease and 3 GiB beside a stranger with 10. */
async function jobBesideStranger(): Promise<void> {
  alive.set(STRANGER, undefined);
  await look(10, [holds(STRANGER, 10)]);
  expect(ask("job")).toBe("granted");
  alive.set(JOB, { lease: "job", user: "me" });
  await look(13, [holds(STRANGER, 10), holds(JOB, 3)]);
}

describe("where processes can be told apart", () => {
  it("a lease has what its processes hold, and strangers have the rest", async () => {
    await jobBesideStranger();
    expect([observed("job"), foreign()]).toEqual([3, 10]);
    expect(allocator.cards[0]?.foreignWho).toBe("pid 20 python (anna)");
  });

  it("a process that the driver lists though it has ended is still its lease's", async () => {
    await jobBesideStranger();
    alive.delete(JOB);
    await look(14, [holds(STRANGER, 10), holds(JOB, 4)]);
    expect([observed("job"), foreign()]).toEqual([4, 10]);
    end("job");
    await look(14, [holds(STRANGER, 10), holds(JOB, 4)]);
    expect(foreign()).toBe(10);
    expect(allocator.cards[0]?.attributed).toBe(true);
  });

  it("one look at which nobody can be told apart makes no stranger's memory a job's", async () => {
    await jobBesideStranger();
    await look(13, undefined);
    expect([observed("job"), foreign()]).toEqual([3, 10]);
  });

  it("memory that no listed process holds is a stranger's, such as a desktop's", async () => {
    await look(2, []);
    expect(foreign()).toBe(2);
    expect(ask("job")).toBe("granted");
    alive.set(JOB, { lease: "job", user: "me" });
    await look(5, [holds(JOB, 3)]);
    expect([observed("job"), foreign()]).toEqual([3, 2]);
  });

  it("memory that is in use between two calls of the driver alone is nobody's", async () => {
    await jobBesideStranger();
    await look(18, [holds(STRANGER, 10), holds(JOB, 3)]);
    await look(18, [holds(STRANGER, 10), holds(JOB, 8)]);
    expect([observed("job"), foreign()]).toEqual([8, 10]);
  });
});

describe.each([
  ["of another namespace", (gib: number): readonly GpuProcess[] => [holds(999, gib)]],
  ["without memory of their own", (): readonly GpuProcess[] => [{ pid: JOB, bytes: undefined }]],
  ["not listed at all", (): readonly GpuProcess[] => []],
  ["not known", (): undefined => undefined],
])("where processes are %s", (_, held) => {
  it("a lone job has what is in use beyond what was before it, and unknown ones start one by one", async () => {
    await look(1, []);
    expect(ask("first")).toBe("granted");
    await look(4, held(3));
    await look(4, held(3));
    expect([observed("first"), foreign()]).toEqual([3, 1]);
    expect(ask("second")).toEqual(["cold"]);
    // It has shown what it takes at first.
    for (let seconds = 0; seconds < 3; seconds++) await look(4, held(3));
    expect(allocator.pass(now).grants.map(({ id }) => id)).toEqual(["second"]);
  });
});
