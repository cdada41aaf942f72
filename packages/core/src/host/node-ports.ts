// The ports of a run on this machine.

import { hostname } from "node:os";
import type { RunPorts } from "../engine/services.ts";
import { FileJournal } from "../journal/file-journal.ts";
import { nodeClock } from "../ports/node/clock.ts";
import { nodeFileSystem } from "../ports/node/file-system.ts";
import { nodeLocks } from "../ports/node/locks.ts";

export const nodePorts: RunPorts = {
  clock: nodeClock,
  fileSystem: nodeFileSystem,
  locks: nodeLocks,
  openJournal: (path) => new FileJournal(path),
  host: hostname(),
  pid: process.pid,
};
