// What `sacct` tells of jobs that have ended: a line for each job, followed by those of its steps, which
// alone know the most memory a process had.

import type { CommandResult } from "../../transport/transport.ts";
import type { Used } from "../scheduler.ts";

const FIELDS = "JobID,ElapsedRaw,TotalCPU,MaxRSS,NodeList,JobName";

/**
 * A question about jobs that have ended. Without states and a last moment `sacct` leaves out what was
 * cancelled before it could start; the variable keeps it from cutting off the list of an array's elements.
 */
export const sacct = (fields: string, ...more: readonly string[]): readonly string[] => [
  ...["env", "SLURM_BITSTR_LEN=0", "sacct", ...more, "-n", "-P", "-S", "now-30days", "-E", "now"],
  ...["-s", "BF,CA,CD,DL,F,NF,OOM,PR,TO", "-o", fields],
];

/** It is given little time: a database that is away must not keep anybody. */
export const usageOf = (names: readonly string[]): readonly string[] => [
  "timeout",
  "5",
  ...sacct(FIELDS),
  `--name=${names.join(",")}`,
];

/** Undefined when nobody keeps account, or the database is away. */
export function parseUsage({ code, stdout }: CommandResult): readonly Used[] | undefined {
  if (code !== 0) return undefined;
  const found: Used[] = [];
  for (const line of stdout.split("\n")) {
    const [id = "", elapsed = "", cpu = "", memory = "", nodes = "", name] = line.split("|");
    if (name === undefined) continue;
    const [job = "", step] = id.split(".");
    if (step === undefined) {
      const index = /^\d+(?:_(\d+))?$/.exec(job);
      // Elements of an array that never started are one line, and have used nothing.
      if (index === null || nodes === "" || nodes === "None assigned") continue;
      const usage = {
        cpuSeconds: seconds(cpu),
        peakMemoryBytes: undefined,
        elapsedMs: /^\d+$/.test(elapsed) ? Number(elapsed) * 1000 : undefined,
        node: nodes,
      };
      found.push({ name, index: Number(index[1] ?? 0), usage });
      continue;
    }
    const last = found.at(-1);
    const peak = Math.max(last?.usage.peakMemoryBytes ?? 0, bytes(memory) ?? 0);
    if (last !== undefined && peak > 0)
      found[found.length - 1] = { ...last, usage: { ...last.usage, peakMemoryBytes: peak } };
  }
  return found;
}

/** `[DAYS-[HOURS:]]MINUTES:SECONDS[.FRACTION]`. */
function seconds(text: string): number | undefined {
  const match = /^(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+(?:\.\d+)?)$/.exec(text);
  if (match === null) return undefined;
  const [, days = 0, hours = 0, minutes = 0, rest = 0] = match;
  return Number(days) * 86_400 + Number(hours) * 3600 + Number(minutes) * 60 + Number(rest);
}

const UNITS = " KMGTP";

/** `210164K`, `1.50G`. */
function bytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([KMGTP]?)$/.exec(text);
  if (match === null) return undefined;
  return Math.round(Number(match[1]) * 1024 ** Math.max(0, UNITS.indexOf(match[2] || " ")));
}
