import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FileJournal } from "../../src/journal/file-journal.ts";
import { decodeJournal, readJournal } from "../../src/journal/read-journal.ts";
import { encodeLine, type JournalRecord } from "../../src/journal/record.ts";
import { attemptKey, taskKey } from "../../src/model/ids.ts";
import { nodeFileSystem } from "../../src/ports/node/file-system.ts";

const claim = (serial: number): JournalRecord => ({
  type: "attempt/claimed",
  task: `train@note=a"b\\n${serial}`,
  key: attemptKey(taskKey("0123456789abcdef"), serial),
  attempt: serial,
  reason: "first",
  wall: 1_800_000_000_000,
});

const records = [1, 2, 3, 4, 5].map(claim);
const bytes = Buffer.from(records.map((record, index) => encodeLine(index + 1, record)).join(""));

describe("a journal", () => {
  let directory: string;
  beforeEach(() => {
    directory = fs.mkdtempSync(join(tmpdir(), "flow-journal-"));
  });
  afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

  it("gives back what was appended", async () => {
    const path = join(directory, "journal.jsonl");
    const journal = new FileJournal(path);
    for (const record of records) journal.append(record);
    await journal.close();
    expect(readJournal(path, nodeFileSystem)).toEqual({
      records,
      damage: [],
      end: bytes.length,
      lastNumber: 5,
    });
  });

  it("is never opened twice for writing", () => {
    const path = join(directory, "journal.jsonl");
    const journal = new FileJournal(path);
    expect(() => new FileJournal(path)).toThrow("EEXIST");
    return journal.close();
  });

  it("opens after being cut at every byte, and never gains a record by it", () => {
    let before = 0;
    for (let length = 0; length <= bytes.length; length++) {
      const content = decodeJournal(bytes.subarray(0, length));
      expect(content.damage).toEqual([]);
      expect(content.records).toEqual(records.slice(0, content.records.length));
      expect(content.records.length).toBeGreaterThanOrEqual(before);
      before = content.records.length;
    }
    expect(before).toBe(records.length);
  });

  it("notices every flipped bit and keeps the other records", () => {
    for (let position = 0; position < bytes.length; position++) {
      const flipped = Buffer.from(bytes);
      flipped[position] = (flipped[position] ?? 0) ^ 1;
      const content = decodeJournal(flipped);
      expect(content.records.length).toBeGreaterThanOrEqual(records.length - 2);
      expect(content.records.length).toBeLessThan(records.length);
      for (const record of content.records) expect(records).toContainEqual(record);
    }
  });

  it("keeps what stands behind a block of zeros, and says how much is damaged", () => {
    const [first = "", second = "", third = ""] = bytes.toString().split(/(?<=\n)/);
    const damaged = Buffer.from(bytes);
    const start = first.length + 10;
    damaged.fill(0, start, first.length + second.length + 5);
    const content = decodeJournal(damaged);
    expect(content.records).toEqual([records[0], ...records.slice(3)]);
    const bad = content.damage.reduce((sum, stretch) => sum + stretch.bytes, 0);
    expect(bad).toBe(second.length + third.length);
  });

  it("takes a repeated tail for damage", () => {
    const content = decodeJournal(Buffer.concat([bytes, bytes.subarray(-200)]));
    expect(content.records).toEqual(records);
    expect(content.damage.length).toBeGreaterThan(0);
  });

  it("is followed from where the last whole line ended", () => {
    const cut = bytes.length - 3;
    const head = decodeJournal(bytes.subarray(0, cut));
    const tail = decodeJournal(bytes.subarray(head.end), head.end, head.lastNumber);
    expect([...head.records, ...tail.records]).toEqual(records);
  });
});

describe("a full disk", () => {
  it("costs nothing that was appended: the next flush writes it", async () => {
    const path = join(fs.mkdtempSync(join(tmpdir(), "flow-journal-")), "journal.jsonl");
    const journal = new FileJournal(path);
    journal.append(claim(1));
    journal.flush();
    const write = fs.writeSync;
    const whole = fs.statSync(path).size;
    journal.append(claim(2));
    let calls = 0;
    const full = Object.assign(new Error("ENOSPC: no space left on device, write"), {
      code: "ENOSPC",
    });
    const restore = replaceWrite((descriptor, data, offset, length) => {
      calls += 1;
      if (calls > 1) throw full;
      return write(descriptor, data, offset, Math.min(length, 20));
    });
    try {
      expect(() => journal.flush()).toThrow("ENOSPC");
      expect(fs.statSync(path).size).toBe(whole);
    } finally {
      restore();
    }
    await journal.close();
    expect(readJournal(path, nodeFileSystem).records).toEqual([claim(1), claim(2)]);
  });
});

type Write = (descriptor: number, data: Uint8Array, offset: number, length: number) => number;

/** Puts another `writeSync` in place; returns the function that puts it back. */
function replaceWrite(write: Write): () => void {
  const original = fs.writeSync;
  const put = (value: unknown): void => {
    (fs as { writeSync: unknown }).writeSync = value;
    syncBuiltinESMExports();
  };
  put(write);
  return () => put(original);
}
