// What a simulation is made of: plain data, so that a failing one can be shrunk and kept.

import type { RunOptions } from "../machine/event.ts";
import type { MachineBackend } from "../machine/plan.ts";
import type { StopReason } from "../model/outcome.ts";
import type { Limits } from "../model/resources.ts";
import type { TaskSpec } from "./plan-of.ts";
import type { Fate, Manners } from "./simulated-world.ts";

export interface ScenarioTask extends TaskSpec {
  /** Fate of the first, second, … attempt; later ones succeed. */
  readonly fates?: readonly Fate[];
  readonly manners?: Manners;
  /** How long an attempt runs, in milliseconds. */
  readonly ms?: number;
  /** What a check says while the task has not been done. @default "stale" */
  readonly verdict?: "stale" | "skip" | "failed";
}

/** Something done to the run from outside, just before its n-th event. */
export type Intervention = { readonly atEvent: number } & (
  | {
      readonly type: "stop";
      readonly tasks: readonly number[] | undefined;
      readonly how: "graceful" | "forced";
      readonly reason: StopReason;
    }
  | { readonly type: "drain" }
  | { readonly type: "limits"; readonly limits: Limits }
  /** Another run holds this much; it lets go of it some time later. */
  | { readonly type: "foreign"; readonly cpusMilli: number; readonly memoryBytes: number }
);

export interface Scenario {
  readonly tasks: readonly ScenarioTask[];
  readonly backends?: readonly MachineBackend[];
  readonly limits: Limits;
  readonly options: RunOptions;
  readonly interventions?: readonly Intervention[];
  /** Flow dies at these records of its journal, counted over all its lives; odd ones after the write. */
  readonly crashes?: readonly number[];
  /** Drawn one after the other for every fault and delay; 0, and none left, means no fault. */
  readonly choices?: readonly number[];
}
