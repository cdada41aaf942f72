// What Ctrl-C and its kin mean for a run: the first asks the tasks to stop, the second kills them,
// the third leaves them running for the next flow to find. A lost terminal changes nothing.

import type { Run, StopReason } from "@flow/core";
import type { Io } from "../io.ts";

/** Returns the function that gives the signals back. */
export function handleSignals(run: Run, io: Io): () => void {
  let presses = 0;
  return io.onSignal((signal) => {
    if (signal === "SIGHUP") return;
    presses += 1;
    const reason: StopReason = signal === "SIGINT" ? "user" : "shutdown";
    if (presses === 1) run.stop("graceful", reason);
    else if (presses === 2) run.stop("forced", reason);
    else run.leave(reason);
  });
}
