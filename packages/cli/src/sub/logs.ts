// The folder `logs/<id>` of each job, beside its program: the job as a script to be read or run by
// hand, and links to its output. A program that launches with flow_task finds its id and goes on there.

import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { ATTEMPT_FILES, lastAttempt, layout, makeState, nodeFileSystem } from "@flow/core";
import type { Job } from "./jobs.ts";

/** Gives every job that has none an id, one above the largest, and writes its script. */
export function makeLogs(jobs: readonly Job[], root: string): void {
  makeState(layout(root), nodeFileSystem);
  for (const job of jobs) {
    const folder = folderOf(job, root) ?? makeFolder(job, root);
    const { task, argv, cwd } = job;
    const exports = Object.entries(task.env).map(
      ([name, value]) => `export ${name}=${quoted(value)}`,
    );
    const lines = [
      "#!/bin/sh",
      `# ${task.id}`,
      ...exports,
      `cd ${quoted(cwd)}`,
      argv.map(quoted).join(" "),
    ];
    writeFileSync(join(folder, "script.sh"), `${lines.join("\n")}\n`, { mode: 0o755 });
  }
}

/** Links `log.stdout` and `log.stderr` to the output of each job's last attempt. */
export function linkOutput(jobs: readonly Job[], root: string): void {
  for (const job of jobs) {
    const folder = folderOf(job, root);
    const attempt = lastAttempt(layout(root), job.task.key, nodeFileSystem);
    if (folder === undefined || attempt === undefined) continue;
    for (const stream of ["stdout", "stderr"] as const) {
      const link = join(folder, `log.${stream}`);
      if (lstatSync(link, { throwIfNoEntry: false })?.isFile() === true) continue;
      rmSync(link, { force: true });
      symlinkSync(relative(folder, join(attempt.directory, ATTEMPT_FILES[stream])), link);
    }
  }
}

/** The file in which a task's id is kept; `flow_task.py` reads and writes the same. */
const idFile = ({ task }: Job, root: string): string =>
  join(layout(root).output(task.key), "log_id");

function folderOf(job: Job, root: string): string | undefined {
  const path = idFile(job, root);
  if (!existsSync(path)) return undefined;
  const [id = "", parent = ""] = readFileSync(path, "utf8").split("\n");
  const folder = join(parent, id);
  return /^\d+$/.test(id) && existsSync(folder) ? folder : undefined;
}

function makeFolder(job: Job, root: string): string {
  mkdirSync(job.logs, { recursive: true });
  for (;;) {
    const ids = readdirSync(job.logs)
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
    const id = Math.max(0, ...ids) + 1;
    const folder = join(job.logs, String(id));
    try {
      mkdirSync(folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") continue;
      throw error;
    }
    mkdirSync(layout(root).output(job.task.key), { recursive: true });
    writeFileSync(idFile(job, root), `${id}\n${job.logs}\n`);
    return folder;
  }
}

const quoted = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
