/** What the next broker finds of the leases of one that died. */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { type JournalledLease, LeaseJournal } from "../../src/broker/journal.ts";
import { unknownJob } from "../unknown-job.ts";

const folder = mkdtempSync(join(tmpdir(), "flow-leases-"));
const path = join(folder, "leases.jsonl");
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("has every lease that is open, also after it was written anew", () => {
  const journal = new LeaseJournal(path, "boot");
  journal.open();
  journal.granted(lease("first"));
  const sizes: number[] = [];
  while (sizes.length < 2 || (sizes.at(-1) ?? 0) > (sizes.at(-2) ?? 0)) {
    journal.granted(lease("short"));
    journal.closed("short", () => [lease("first")]);
    sizes.push(statSync(path).size);
  }
  journal.granted(lease("last"));
  expect(new LeaseJournal(path, "boot").open().map(({ lease: { id } }) => id)).toEqual([
    "first",
    "last",
  ]);
  expect(new LeaseJournal(path, "another boot").open()).toEqual([]);
});

const lease = (id: string): JournalledLease => ({
  secret: "s",
  ask: unknownJob(id),
  lease: {
    id,
    label: id,
    user: "me",
    cards: ["gpu"],
    reservedBytes: 0,
    observedBytes: 0,
    load: 0,
    cold: false,
    settling: false,
    alone: false,
    startedAt: 0,
    durationMs: undefined,
    kind: "k",
  },
});
