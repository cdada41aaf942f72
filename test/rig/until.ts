/** Waits for something that tells nobody when it happens, such as a line in a program's log. */

const PATIENCE_MS = 60_000;
const LOOK_MS = 10;

/** Resolves once `holds` returns true; `what` is named when it never does. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited ${PATIENCE_MS / 1000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
