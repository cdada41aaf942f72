// One process of flow in a simulation, from its start to its end or death.

import { isDeepStrictEqual } from "node:util";
import type { Effect } from "../machine/effect.ts";
import type { MachineEvent } from "../machine/event.ts";
import type { Machine } from "../machine/machine.ts";
import type { MachinePlan } from "../machine/plan.ts";
import type { Stop } from "../machine/state.ts";
import { Safety, Violation } from "./safety.ts";

/** An event before it has a time. */
export type Posted = MachineEvent extends infer E
  ? E extends { readonly now: number }
    ? Omit<E, "now">
    : never
  : never;

export class Life {
  readonly machine: Machine;
  readonly safety: Safety;
  readonly queue: Posted[] = [];
  readonly history: [MachineEvent, readonly Effect[]][] = [];
  readonly submitting: Set<string> = new Set();
  readonly watched: Set<string> = new Set();
  /** Stops asked of attempts, by key. */
  readonly stops: Map<string, Stop> = new Map();
  cancelWake: (() => void) | undefined;
  dead = false;

  constructor(machine: Machine, plan: MachinePlan) {
    this.machine = machine;
    this.safety = new Safety(plan);
  }

  /** The same events must give the same effects again. */
  checkReplay(fresh: Machine): void {
    for (const [event, effects] of this.history) {
      if (!isDeepStrictEqual(fresh.step(event), effects)) {
        throw new Violation(`replayed, \`${event.type}\` had other effects`);
      }
    }
  }
}
