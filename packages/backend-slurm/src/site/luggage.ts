// What an attempt takes along and brings back besides its inputs.

import { lstatSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import type { Job } from "@flow/core";
import { nameOf } from "./cargo.ts";

/** What must be known to bring an attempt's work home, kept beside it. */
export interface Luggage {
  /** Relative to the root. */
  readonly made: readonly string[];
  /** Name there → directory here. */
  readonly kept: Readonly<Record<string, string>>;
}

/** Directories that are kept are those the program is told of. */
export function luggageOf({ paths, outputs, leaves = [], env }: Job): Luggage {
  const { root, output, checkpoint } = paths;
  const directories = [output, ...(env["FLOW_CHECKPOINT_DIR"] === undefined ? [] : [checkpoint])];
  return {
    made: [...new Set([...outputs, ...leaves])],
    kept: Object.fromEntries(directories.map((path) => [nameOf(root, path), path])),
  };
}

/** Replaces what is there, if there is something to replace it with. */
export function takeOver(from: string, to: string): void {
  if (lstatSync(from, { throwIfNoEntry: false }) === undefined) return;
  mkdirSync(dirname(to), { recursive: true });
  rmSync(to, { recursive: true, force: true });
  renameSync(from, to);
}
