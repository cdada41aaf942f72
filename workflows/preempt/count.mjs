// Counts to its first argument and survives preemption: the contract in Node.js without a library.

import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const [goal, out] = [Number(process.argv[2]), process.argv[3]];
const {
  FLOW_CHECKPOINT_DIR = ".",
  FLOW_EVENTS,
  FLOW_EXIT_REQUEUE = "75",
  FLOW_STOP_FILE,
} = process.env;
const state = `${FLOW_CHECKPOINT_DIR}/count`;
// The stop file says the same as the signal and is looked at between two steps.
process.on("SIGTERM", () => {});

let done = existsSync(state) ? Number(readFileSync(state, "utf8")) : 0;
if (done > 0) console.log(`resuming from ${done}`);
while (done < goal) {
  if (FLOW_STOP_FILE && existsSync(FLOW_STOP_FILE)) {
    console.log(`asked to stop at ${done}`);
    process.exit(Number(FLOW_EXIT_REQUEUE));
  }
  await sleep(1000 * Number(process.env.PAUSE ?? 0.1));
  done++;
  writeFileSync(`${state}.tmp`, `${done}\n`);
  renameSync(`${state}.tmp`, state);
  if (FLOW_EVENTS) {
    appendFileSync(FLOW_EVENTS, `${JSON.stringify({ k: "progress", done, total: goal })}\n`);
  }
}
writeFileSync(out, `${done}\n`);
