// Copies what a running attempt prints and tells into its directory on this machine, a range at a
// time. An attempt runs on one node only, so what is here already is where to go on.

import { appendFileSync, statSync } from "node:fs";
import type { AttemptPlace } from "@flow/core";
import { taskId } from "../naming.ts";
import type { BatchPort } from "../service/batch-port.ts";
import type { Retry } from "../service/retry.ts";
import { readExit, readMembership } from "./files.ts";
import type { Turns } from "./turns.ts";

const FILES = ["stdout", "stderr", "events.0.jsonl"] as const;
export type MirroredFile = (typeof FILES)[number];

/** Most bytes of one request. */
const RANGE_BYTES = 4 << 20;
/** Attempts that one look at all of them follows. */
const AT_ONCE = 8;

export class Mirror {
  readonly #batch: BatchPort;
  readonly #retry: Retry;
  readonly #turns: Turns;
  /** Where the next look begins among many. */
  #next = 0;

  constructor(batch: BatchPort, retry: Retry, turns: Turns) {
    this.#batch = batch;
    this.#retry = retry;
    this.#turns = turns;
  }

  /** Follows some of the running attempts, others the next time. What cannot be had is left for later. */
  async look(running: readonly AttemptPlace[]): Promise<void> {
    const count = Math.min(AT_ONCE, running.length);
    const start = this.#next % Math.max(1, running.length);
    this.#next = start + count;
    const chosen = [...running, ...running].slice(start, start + count);
    await Promise.all(chosen.map((place) => this.pull(place).catch(() => undefined)));
  }

  /** Brings the copies of one attempt up to date. Rejects with a ServiceError. */
  pull(place: AttemptPlace, files: readonly MirroredFile[] = FILES): Promise<void> {
    return this.#turns.take(place.attempt, async () => {
      const membership = readMembership(place.attempt);
      if (membership === undefined || readExit(place.attempt) !== undefined) return;
      for (const name of files) await this.#pullFile(membership.job, place, name);
    });
  }

  async #pullFile(job: string, { key, attempt }: AttemptPlace, name: string): Promise<void> {
    const local = `${attempt}/${name}`;
    const remote = `wd/attempt/${name}`;
    const size = await this.#retry.call(() => this.#batch.fileSize(job, taskId(key), remote));
    for (;;) {
      const here = statSync(local, { throwIfNoEntry: false })?.size ?? 0;
      if (size === undefined || size <= here) return;
      const to = Math.min(size, here + RANGE_BYTES);
      const read = () => this.#batch.readFile(job, taskId(key), remote, here, to);
      const bytes = await this.#retry.call(read);
      if (bytes === undefined || bytes.byteLength === 0) return;
      appendFileSync(local, bytes);
    }
  }
}
