// Attempts of which nothing new can be said before the scheduler says otherwise or a result appears:
// a thousand of them are a thousand looks at one file each, where finding out anew would be ten times that.

import { statSync } from "node:fs";
import type { AttemptKey, AttemptPlace, Observation } from "@flow/core";
import { exitFile, type Incarnation, type Membership } from "./attempt/files.ts";
import { queued } from "./attempt/judge.ts";
import type { Row } from "./schedulers/scheduler.ts";

/** An attempt, and the submission it belongs to. */
export type Place = AttemptPlace & { readonly membership: Membership };

interface Memory {
  readonly place: Place;
  readonly phase: Row["phase"];
  readonly restarts: number;
  readonly startedAt: number | undefined;
  /** Where the result of this incarnation will lie. */
  readonly result: string;
}

export class Steady {
  readonly #memories = new Map<AttemptKey, Memory>();

  /** Where an attempt lies; undefined unless it was steady when it was last looked at. */
  place(key: AttemptKey): Place | undefined {
    return this.#memories.get(key)?.place;
  }

  /** Remembers an attempt that waits, or that runs and has said so, when its files agree with its row. */
  note(key: AttemptKey, place: Place, row: Row, incarnation: Incarnation): void {
    const { restart, started, startedAt, exit, fenced } = incarnation;
    const isWaiting = row.phase === "waiting" && started === undefined && !fenced;
    const isRunning = row.phase === "running" && started !== undefined && exit === undefined;
    if (restart !== row.restarts || !(isWaiting || isRunning)) return;
    const { phase, restarts } = row;
    const result = exitFile(place.attempt, place.membership.generation, restart);
    this.#memories.set(key, { place, phase, restarts, startedAt, result });
  }

  /** What there is to say of an attempt as long as nothing has happened to it; undefined once something may have. */
  verdict(key: AttemptKey, row: Row | undefined): Observation | undefined {
    const memory = this.#memories.get(key);
    if (memory === undefined) return undefined;
    const isSame = row?.phase === memory.phase && row.restarts === memory.restarts;
    if (!isSame || statSync(memory.result, { throwIfNoEntry: false }) !== undefined) {
      this.#memories.delete(key);
      return undefined;
    }
    return row.phase === "waiting"
      ? queued(row)
      : { type: "running", since: memory.startedAt, node: row.node };
  }
}
