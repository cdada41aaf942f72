import { expect, test } from "vitest";
import { layout as layoutOf } from "../../src/engine/layout.ts";
import { foldTraces } from "../../src/engine/open-traces.ts";
import { runId } from "../../src/model/ids.ts";
import { MemoryFileSystem, MemoryLocks, VirtualClock } from "../../src/testing/index.ts";
import { TraceStore } from "../../src/trace/store.ts";

test("the lock file of a dead run is removed while nobody else can take it", async () => {
  const layout = layoutOf("/project");
  const path = layout.runLock(runId("run-001"));
  const held = new Set<string>();
  const newcomer = new MemoryLocks(new MemoryFileSystem(), held);
  const couldBeTaken: boolean[] = [];
  const files = new (class extends MemoryFileSystem {
    override remove(removed: string): boolean {
      if (removed === path) couldBeTaken.push(newcomer.take(path, "run-001") !== undefined);
      return super.remove(removed);
    }
  })();
  files.makeDirectory("/project");
  files.makeDirectory("/project/.flow");
  files.makeDirectory(layout.locks);
  files.makeDirectory(layout.cache);
  files.write(path, "");

  const ports = {
    fileSystem: files,
    locks: new MemoryLocks(files, held),
    clock: new VirtualClock(),
  };
  expect(await foldTraces(new TraceStore(files, layout.traces), layout, ports)).toBe(true);

  expect(couldBeTaken).toEqual([false]);
  expect(files.stat(path)).toBeUndefined();
  expect(held.size).toBe(0);
});
