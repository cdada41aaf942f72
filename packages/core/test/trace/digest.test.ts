import { describe, expect, test } from "vitest";
import type { FileStat } from "../../src/ports/file-system.ts";
import { MemoryFileSystem } from "../../src/testing/memory-file-system.ts";
import { Digester } from "../../src/trace/digest.ts";

const root = "/project";

/** A digester over one file, with a clock and a file system that misbehave as told. */
function setUp(
  content: string,
  options: { ageMs?: number; onRead?: () => void; stat?: Partial<FileStat> } = {},
) {
  const files = new MemoryFileSystem();
  files.makeDirectory(root);
  files.write(`${root}/a`, content);
  let reads = 0;
  const read = files.read.bind(files);
  const noted = (): void => {
    reads++;
    options.onRead?.();
  };
  files.read = (path) => {
    const bytes = read(path);
    noted();
    return bytes;
  };
  const hash = files.hash.bind(files);
  files.hash = async (path) => {
    const digest = await hash(path);
    noted();
    return digest;
  };
  const stat = files.stat.bind(files);
  files.stat = (path) => {
    const found = stat(path);
    return found === undefined ? undefined : { ...found, ...options.stat };
  };
  const slept: number[] = [];
  let aheadMs = options.ageMs ?? 1_000_000;
  const digester = new Digester({
    root,
    fileSystem: files,
    wall: () => Number((stat(`${root}/a`)?.changedNs ?? 0n) / 1_000_000n) + aheadMs,
    sleep: (milliseconds) => {
      slept.push(milliseconds);
      aheadMs += milliseconds;
      return Promise.resolve();
    },
    ignore: [],
  });
  return { files, digester, slept, reads: () => reads };
}

describe("digests", () => {
  test("an unchanged signature spares reading, here and with what a record says", async () => {
    const { digester, reads } = setUp("text");
    const first = await digester.look("a");
    await digester.look("a");
    expect(reads()).toBe(1);
    const other = setUp("text");
    await other.digester.look("a", "content", first as { digest: string; signature: string });
    expect(other.reads()).toBe(0);
  });

  test("a file younger than a clock tick is read again, since a change could hide", async () => {
    const { files, digester, reads } = setUp("one", { ageMs: 3 });
    const first = await digester.look("a");
    expect(first).toMatchObject({ signature: "" });
    // The same tick, the same size, another content.
    const before = files.stat(`${root}/a`);
    files.write(`${root}/a`, "two");
    files.stat = () => before;
    const second = await digester.look("a");
    expect(second).not.toMatchObject({ digest: (first as { digest: string }).digest });
    expect(reads()).toBe(2);
    expect(digester.looked.get(`${root}/a`)).toBeUndefined();
  });

  test("times in whole seconds are trusted only after two seconds", async () => {
    const stat = { changedNs: 1_700_000_000_000_000_000n };
    const at = (ageMs: number): Digester => {
      const { files } = setUp("text", { stat });
      const wall = (): number => 1_700_000_000_000 + ageMs;
      return new Digester({
        root,
        fileSystem: files,
        wall,
        sleep: () => Promise.resolve(),
        ignore: [],
      });
    };
    expect(await at(1_900).look("a")).toMatchObject({ signature: "" });
    expect(await at(2_100).look("a")).not.toMatchObject({ signature: "" });
  });

  test("a large young file is waited for instead of being read twice", async () => {
    const { digester, slept, reads } = setUp("x".repeat(2 << 20), { ageMs: 3 });
    expect(await digester.look("a")).not.toMatchObject({ signature: "" });
    expect(await digester.look("a")).toMatchObject({ size: 2 << 20 });
    expect(slept).toEqual([18]);
    expect(reads()).toBe(1);
  });

  test("a file that changes while it is read is read again", async () => {
    let changes = 2;
    const set = setUp("0", {
      onRead: () => {
        if (changes-- > 0) set.files.write(`${root}/a`, `changed ${changes}`);
      },
    });
    const found = await set.digester.look("a");
    const again = await setUp("changed 0").digester.look("a");
    expect(found).toMatchObject({ digest: (again as { digest: string }).digest });
  });

  test("a file that never stops changing is an error, not a guess", async () => {
    let count = 0;
    const set = setUp("0", { onRead: () => set.files.write(`${root}/a`, `${count++}`) });
    expect(await set.digester.look("a")).toEqual({
      kind: "changing",
      path: "a",
      message:
        "`a` changed while it was being read, 3 times in a row; something is still writing it.",
    });
  });

  test("what cannot be read is said with the reason", async () => {
    const set = setUp("x", {
      onRead: () => {
        throw new Error("EACCES: permission denied");
      },
    });
    expect(await set.digester.look("a")).toEqual({
      kind: "unreadable",
      path: "a",
      message: "`a` cannot be read: EACCES: permission denied.",
    });
  });

  test("what is neither file nor directory is not read", async () => {
    const { digester } = setUp("x", { stat: { kind: "other" } });
    expect(await digester.look("a")).toMatchObject({
      message: "`a` is neither a file nor a directory.",
    });
  });

  test("many tasks that ask for one file at once read it once", async () => {
    const { digester, reads } = setUp("x".repeat(100_000));
    await Promise.all([digester.look("a"), digester.look("a"), digester.look("a")]);
    expect(reads()).toBe(1);
  });

  test("everything that was looked at is remembered with what it was", async () => {
    const { files, digester } = setUp("x");
    files.makeDirectory(`${root}/d/e`);
    files.write(`${root}/d/e/f`, "f");
    await digester.look("a");
    await digester.look("d");
    await digester.look("gone");
    expect([...digester.looked.keys()].sort()).toEqual([
      `${root}/a`,
      `${root}/d`,
      `${root}/d/e`,
      `${root}/d/e/f`,
      `${root}/gone`,
    ]);
    expect(digester.looked.get(`${root}/gone`)).toBe("");
    files.write(`${root}/a`, "changed since");
    await digester.look("a");
    expect(digester.looked.get(`${root}/a`)).toBeUndefined();
  });
});
