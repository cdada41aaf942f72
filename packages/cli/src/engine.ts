// What the command line asks of V8, whose own choices suit programs that run for long.

import { setFlagsFromString } from "node:v8";

/** Bytes of bytecode that a function runs through before V8 weighs optimising it; V8 11 starts at 67,584. */
const PATIENCE = { first: 540_000, later: 67_584 };

/** How long the first patience lasts, in milliseconds. */
const FIRST_MS = 1500;

/**
 * Lets functions be optimised later during the first moments. Most commands are over by then and never get
 * back what optimising cost them, in part on the core that their tasks could have. Only V8 11, of Node 20,
 * is asked: later ones have a quick compiler in between, and decide better by themselves.
 */
export function optimiseLater(): void {
  if (!process.versions.v8.startsWith("11.")) return;
  setFlagsFromString(`--interrupt-budget=${PATIENCE.first}`);
  const soon = setTimeout(() => {
    setFlagsFromString(`--interrupt-budget=${PATIENCE.later}`);
  }, FIRST_MS);
  soon.unref();
}

/**
 * Lets the heap grow by half of what is in use before it is collected. Left to itself it grows to several
 * times that: most of what a task leaves behind is old enough to survive the quick collections.
 */
export function collectEarlier(): void {
  setFlagsFromString("--heap-growing-percent=50");
}
