// What changing the record needs: nobody else at it, and the lock under which traces are written.

import {
  err,
  foldTraces,
  makeState,
  nodeClock,
  nodeFileSystem,
  nodeLocks,
  ok,
  openState,
  type ProjectState,
  type Result,
} from "@flow/core";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { liveRuns } from "./runs.ts";

/** Opens the state for a change; refused while a run is under way, which would write over it. */
export function openForChange(root: string, io: Io): Result<ProjectState, ExitCode> {
  const runs = liveRuns(root);
  if (runs.length > 0) {
    const names = runs.map(({ run }) => run).join(", ");
    io.stderr.write(
      `flow: run ${names} is under way in this project; wait for it, or stop it with flow cancel.\n`,
    );
    return err(EXIT.outside);
  }
  const state = openState(root);
  makeState(state.layout, nodeFileSystem);
  return ok(state);
}

/** Writes the changed traces. */
export async function saveChange({ traces, layout }: ProjectState, io: Io): Promise<ExitCode> {
  const ports = { fileSystem: nodeFileSystem, locks: nodeLocks, clock: nodeClock };
  if (await foldTraces(traces, layout, ports)) return EXIT.ok;
  io.stderr.write("flow: another flow keeps the record locked; nothing was changed. Try again.\n");
  return EXIT.outside;
}
