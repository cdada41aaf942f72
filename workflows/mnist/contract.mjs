// What flow and a program say to each other, in plain files and environment variables. Copy what you
// need: nothing of it is a library of flow. Without flow everything here does nothing, so the same
// program runs by hand.

import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";

const { FLOW_CHECKPOINT_DIR, FLOW_EVENTS, FLOW_EXIT_REQUEUE, FLOW_STOP_FILE } = process.env;

// The stop signal comes with the stop file. This program looks at the file between two steps; the
// signal must only not end it before it has saved.
if (FLOW_STOP_FILE !== undefined) process.on("SIGTERM", () => {});

/** Tells flow something: `tell("progress", {done: 3, total: 10})`. One JSON object per line. */
export function tell(kind, fields) {
  if (FLOW_EVENTS !== undefined)
    appendFileSync(FLOW_EVENTS, `${JSON.stringify({ k: kind, ...fields })}\n`);
}

/** Where `name` is kept between attempts of this task; undefined without flow. */
export function checkpointPath(name) {
  return FLOW_CHECKPOINT_DIR === undefined ? undefined : join(FLOW_CHECKPOINT_DIR, name);
}

/** Whether flow wants the program to save and leave: pre-emption, a deadline, Ctrl-C. */
export function stopAsked() {
  return FLOW_STOP_FILE !== undefined && existsSync(FLOW_STOP_FILE);
}

/** Ends the program with the code that means: not done, start me again from the checkpoint. */
export function leaveForRequeue() {
  process.exit(Number(FLOW_EXIT_REQUEUE ?? 75));
}
