/** When what is in a journal reaches the disk. */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FileJournal } from "../../src/journal/file-journal.ts";
import { taskId } from "../../src/model/ids.ts";

/** Syncs under way, each with what ends it. */
const syncs = vi.hoisted(() => ({
  begun: [] as ((error: Error | null) => void)[],
  tell: (): void => {},
}));

vi.mock("node:fs", async (original) => ({
  ...(await original<typeof fs>()),
  fdatasync: (_descriptor: number, done: (error: Error | null) => void): void => {
    syncs.begun.push(done);
    syncs.tell();
  },
}));

/** Resolves with the end of the next sync once it has begun. */
const nextSync = (): Promise<(error: Error | null) => void> =>
  new Promise((resolve) => {
    const look = (): void => {
      const done = syncs.begun.shift();
      if (done === undefined) syncs.tell = look;
      else resolve(done);
    };
    look();
  });

const record = { type: "task/held", task: taskId("t"), template: "t", by: "x", wall: 0 } as never;

let folder: string;
let journal: FileJournal;

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), "flow-journal-"));
  journal = new FileJournal(join(folder, "journal.jsonl"));
});
afterEach(async () => {
  const closed = journal.close();
  (await nextSync())(null);
  await closed;
  fs.rmSync(folder, { recursive: true });
});

function write(): void {
  journal.append(record);
  journal.flush();
}

test("is soon, unasked, and once for all that was written meanwhile", async () => {
  write();
  write();
  const first = await nextSync();
  write();
  write();
  expect(syncs.begun).toEqual([]);
  first(null);
  (await nextSync())(null);
  expect(syncs.begun).toEqual([]);
});

test("a disk that refuses later is told of at the next flush, and asked again after that", async () => {
  write();
  const refused = new Error("EIO: i/o error, fdatasync");
  (await nextSync())(refused);
  await vi.waitFor(() => expect(() => journal.flush()).toThrow(refused));
  write();
  (await nextSync())(null);
});

test("a disk that refuses while the journal is closed is told of", async () => {
  write();
  const sync = await nextSync();
  const closed = journal.close();
  sync(new Error("EIO: i/o error, fdatasync"));
  await expect(closed).rejects.toThrow("EIO");
  journal = new FileJournal(join(folder, "another.jsonl"));
});
