// Paths of this machine as those of another one. Pure.

import type { Job, JobAction } from "@flow/core";

/** Turns every absolute path below one of these places into that below its counterpart. */
export function translator(places: Readonly<Record<string, string>>): (text: string) => string {
  const froms = Object.keys(places).sort((a, b) => b.length - a.length);
  const one = froms.map((from) => from.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|");
  const pattern = new RegExp(`(?<![\\w./-])(?:${one})(?![\\w.-])`, "g");
  return (text) => text.replaceAll(pattern, (from) => places[from] ?? from);
}

export function translateJob(job: Job, to: (text: string) => string): Job {
  const all = (record: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
    Object.fromEntries(Object.entries(record).map(([name, value]) => [name, to(value)]));
  const action = (one: JobAction): JobAction => ({
    ...one,
    argv: one.argv.map(to),
    cwd: to(one.cwd),
    env: all(one.env),
    stdin: one.stdin === undefined ? undefined : to(one.stdin),
  });
  return {
    ...job,
    actions: job.actions.map(action),
    finally: job.finally.map(action),
    env: all(job.env),
    cwd: to(job.cwd),
    paths: all({ ...job.paths }) as unknown as Job["paths"],
  };
}
