// Brings back what an attempt leaves: its record into its directory, its outputs into the project, its
// persistent directories to where they are kept here.

import {
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { AttemptKey, AttemptPlace, Exit } from "@flow/core";
import { parseExit } from "@flow/task-py";
import { attemptBlobs, taskId } from "../naming.ts";
import type { BatchPort, TaskRow } from "../service/batch-port.ts";
import type { Retry } from "../service/retry.ts";
import { hasCode } from "../service/service-error.ts";
import { inScratch, unpack } from "../storage/archives.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { displaced, exitOfRecord, exitWithoutRecord, wasEnded, wasNotLaunched } from "./exit.ts";
import {
  firstLife,
  keepExit,
  type Membership,
  readExit,
  readMembership,
  readStop,
} from "./files.ts";
import type { Turns } from "./turns.ts";

export interface CollectorParts {
  readonly batch: BatchPort;
  readonly store: BlobStore;
  readonly retry: Retry;
  readonly turns: Turns;
  readonly scratch: string;
  /** What lies in a task's checkpoint folder on a mount, as text; undefined: nothing, or not to be seen. */
  mountedCheckpoint(place: AttemptPlace): Promise<string | undefined>;
}

export class Collector {
  readonly #parts: CollectorParts;

  constructor(parts: CollectorParts) {
    this.#parts = parts;
  }

  /** The end of an attempt whose task is over; the result counts, whatever became of the task. */
  completed(place: AttemptPlace, row: TaskRow | undefined): Promise<Exit> {
    return this.#once(place, (membership) => this.#completed(place, membership, row));
  }

  /** The end of an attempt whose node is gone: what it had saved comes back. */
  displaced(place: AttemptPlace): Promise<Exit> {
    return this.#once(place, async (membership) => {
      await this.#restoreState(place, membership);
      return displaced(firstLife(place.attempt, undefined), membership.priority);
    });
  }

  #once(place: AttemptPlace, collect: (membership: Membership) => Promise<Exit>): Promise<Exit> {
    return this.#parts.turns.take(place.attempt, async () => {
      const known = readExit(place.attempt);
      if (known !== undefined) return known;
      const membership = readMembership(place.attempt);
      if (membership === undefined) throw new Error(`no task was ever added for ${place.key}`);
      return keepExit(place.attempt, await collect(membership));
    });
  }

  async #completed(
    place: AttemptPlace,
    membership: Membership,
    row: TaskRow | undefined,
  ): Promise<Exit> {
    const { scratch, retry, store } = this.#parts;
    const stop = readStop(place.attempt);
    const record = await inScratch(scratch, async (folder) => {
      const archive = join(folder, "result.tar.gz");
      const name = attemptBlobs(place.key).result;
      if (!(await retry.call(() => store.download(name, archive)))) return undefined;
      await unpack(archive, join(folder, "result"));
      return placeResult(join(folder, "result"), place.attempt, membership);
    });
    if (record !== undefined) {
      if (membership.mounted) await this.#markCheckpoint(place, membership);
      return exitOfRecord(record, row, stop);
    }
    await this.#restoreState(place, membership);
    const life = firstLife(place.attempt, undefined);
    const lastLine = row === undefined ? undefined : await this.#lastLine(place, membership);
    const { priority } = membership;
    const isUnclaimed = wasNotLaunched(row) && (await retry.call(() => callOff(store, place.key)));
    const jobEnd = wasEnded(row) && stop === undefined ? await this.#jobEnd(membership) : undefined;
    return exitWithoutRecord({ row, life, stop, priority, lastLine, isUnclaimed, jobEnd });
  }

  async #jobEnd({ job }: Membership): Promise<string | undefined> {
    const { batch, retry } = this.#parts;
    const row = await retry.call(() => batch.job(job));
    // The service says why a job has ended only once it is over.
    if (row?.state === "terminating") throw new Error("its job in Azure Batch is just ending");
    return row?.endReason;
  }

  /** What the node saved last, when it could leave no result. */
  async #restoreState(place: AttemptPlace, membership: Membership): Promise<void> {
    if (membership.mounted) return this.#markCheckpoint(place, membership);
    const { scratch, retry, store } = this.#parts;
    await inScratch(scratch, async (folder) => {
      const archive = join(folder, "state.tar.gz");
      const name = attemptBlobs(place.key).state;
      if (!(await retry.call(() => store.download(name, archive)))) return;
      await unpack(archive, join(folder, "state"));
      placeState(join(folder, "state"), membership);
    });
  }

  /** A checkpoint on a mount stays there; here a file stands for it, so that its task counts as resumable. */
  async #markCheckpoint(place: AttemptPlace, { checkpoint }: Membership): Promise<void> {
    const text = await this.#parts.mountedCheckpoint(place);
    if (text === undefined) return;
    mkdirSync(checkpoint, { recursive: true });
    writeFileSync(join(checkpoint, "on-mount.txt"), text);
  }

  /** The last line of what the node itself printed, outside of the attempt's own output. */
  async #lastLine(place: AttemptPlace, { job }: Membership): Promise<string | undefined> {
    const { batch } = this.#parts;
    const read = () => batch.readFile(job, taskId(place.key), "stderr.txt", 0, 1 << 16);
    const bytes = await read().catch(() => undefined);
    if (bytes === undefined) return undefined;
    const lines = Buffer.from(bytes).toString("utf8").trim().split("\n");
    return lines.at(-1)?.replace(/^flow: /, "") || undefined;
  }
}

/**
 * Takes the claim that a node must have before it runs anything of the attempt. False when one has it;
 * without its container nothing can be claimed or unpacked anywhere.
 */
export async function callOff(store: BlobStore, key: AttemptKey): Promise<boolean> {
  try {
    return await store.putNew(attemptBlobs(key).claim, CALLED_OFF);
  } catch (error) {
    if (hasCode(error, "ContainerNotFound", "ContainerBeingDeleted")) return true;
    throw error;
  }
}

const CALLED_OFF = Buffer.from("called off\n");

/** Moves everything to its place and returns the runner's record; undefined when it left none. */
function placeResult(result: string, attempt: string, membership: Membership) {
  const exit = readText(join(result, "attempt/exit"));
  const record = exit === undefined ? undefined : parseExit(exit);
  merge(join(result, "project"), membership.root);
  placeState(result, membership);
  merge(join(result, "attempt"), attempt);
  return record;
}

/** Outputs are added to; a checkpoint directory becomes what it was on the node. */
function placeState(state: string, { output, checkpoint, mounted }: Membership): void {
  if (mounted) return;
  merge(join(state, "out"), output);
  const saved = join(state, "ckpt");
  if (!isDirectory(saved)) return;
  const before = isDirectory(checkpoint) ? readdirSync(checkpoint) : [];
  const now = new Set(readdirSync(saved));
  merge(saved, checkpoint);
  for (const name of before)
    if (!now.has(name)) rmSync(join(checkpoint, name), { recursive: true, force: true });
}

/** Moves what lies in one folder into another, over what is there. Nothing happens without the first. */
function merge(from: string, to: string): void {
  if (!isDirectory(from)) return;
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const source = join(from, entry.name);
    const target = join(to, entry.name);
    if (entry.isDirectory()) {
      if (!isDirectory(target) && lstatSync(target, { throwIfNoEntry: false })?.isFile() === true)
        rmSync(target);
      merge(source, target);
    } else {
      if (isDirectory(target)) rmSync(target, { recursive: true });
      move(source, target);
    }
  }
}

/** The project and flow's own folder may lie on different disks. */
function move(source: string, target: string): void {
  try {
    renameSync(source, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    if (lstatSync(source).isSymbolicLink()) {
      rmSync(target, { force: true });
      symlinkSync(readlinkSync(source), target);
    } else {
      copyFileSync(source, `${target}.part`);
      renameSync(`${target}.part`, target);
    }
  }
}

const isDirectory = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

function readText(path: string): string | undefined {
  return lstatSync(path, { throwIfNoEntry: false }) === undefined
    ? undefined
    : readFileSync(path, "utf8");
}
