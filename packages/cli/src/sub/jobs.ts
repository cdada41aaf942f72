// The tasks that a job script's commands come to: one per combination, known by its command line, so
// that the same command is the same task in whatever script and loop it stands.

import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { basename, dirname, relative, resolve } from "node:path";
import { defineTask, memberId, slugOf, type Task, taskKey } from "@flow/core";
import type { Directives } from "./directives.ts";
import { expand } from "./expand.ts";
import type { ScriptCommand } from "./find-commands.ts";

export interface Job {
  readonly task: Task;
  readonly argv: readonly string[];
  /** Absolute. */
  readonly cwd: string;
  /** Where a program's log directories lie: `logs` beside it; absolute. */
  readonly logs: string;
}

export interface Jobs {
  readonly jobs: readonly Job[];
  /** Variables that look like secrets: given to the programs, recorded nowhere. */
  readonly secretValues: Readonly<Record<string, string>>;
}

const SECRET = /KEY|TOKEN|SECRET|PASS|CRED/i;

/** Name under which such tasks are kept apart from those of flow files. */
export const FILE = "sub";

/** Returned as text: why there is no such job. */
export function jobsOf(
  commands: readonly ScriptCommand[],
  directives: Directives,
  root: string,
  backend: string,
): Jobs | string {
  const jobs = new Map<string, Job>();
  const secretValues: Record<string, string> = {};
  for (const command of commands) {
    const cwd = relative(root, command.cwd);
    if (cwd.startsWith("..")) {
      return `\`${command.argv.join(" ")}\` would run in ${command.cwd}, outside of ${root}; go to the folder above both, or say -C`;
    }
    const combinations = expand(command.argv);
    if (typeof combinations === "string") return combinations;
    const entries = Object.entries(command.env);
    for (const [name, value] of entries) if (SECRET.test(name)) secretValues[name] = value;
    const env = Object.fromEntries(entries.filter(([name]) => !SECRET.test(name)));
    const program = programOf(command);
    for (const { argv, axes } of combinations) {
      const identity = JSON.stringify([cwd, argv]);
      if (jobs.has(identity)) continue;
      const name = freeName(nameOf(program ?? argv[0] ?? ""), axes, [...jobs.values()]);
      const deps = program === undefined ? [] : depsOf(program, root);
      const plain = defineTask(name, { run: argv, env, deps, checkpoint: true, backend }, FILE);
      const task: Task = {
        ...plain,
        id: memberId(name, axes),
        key: taskKey(
          createHash("sha256").update(`${FILE}\0${identity}`).digest("hex").slice(0, 16),
        ),
        axes: Object.fromEntries(axes),
        slug: slugOf(memberId(name, axes)),
        cwd,
        // A program alone in its folder has neither modules nor configuration.
        deps: plain.deps.map((dep) => (dep.kind === "glob" ? { ...dep, optional: true } : dep)),
        params: Object.fromEntries(axes),
        timeoutMs: backend === "local" ? directives.timeMs : undefined,
        resources: resourcesOf(plain, directives, backend),
        backendOptions: backend === "slurm" ? { slurm: { sbatch: directives.options } } : {},
      };
      const logs = resolve(program === undefined ? command.cwd : dirname(program), "logs");
      jobs.set(identity, { task, argv, cwd: command.cwd, logs });
    }
  }
  return { jobs: [...jobs.values()], secretValues };
}

/** On this machine what the directives ask is asked of it; SLURM is given the directives themselves. */
function resourcesOf(
  { resources }: Task,
  { cpus, memoryBytes, timeMs }: Directives,
  backend: string,
): Task["resources"] {
  if (backend === "slurm") return { ...resources, timeMs };
  return { ...resources, cpusMilli: cpus === undefined ? undefined : cpus * 1000, memoryBytes };
}

/** Two commands whose combinations are called alike get numbers. */
function freeName(name: string, axes: ReadonlyMap<string, string>, others: readonly Job[]): string {
  const taken = new Set<string>(others.map(({ task }) => task.id));
  for (let number = 1; ; number += 1) {
    const candidate = number === 1 ? name : `${name}-${number}`;
    if (!taken.has(memberId(candidate, axes))) return candidate;
  }
}

/** The script or module that python runs, when it is a file here; absolute. */
function programOf({ argv, cwd }: ScriptCommand): string | undefined {
  const file = argv.slice(1).find((argument) => /\.(?:py|sh|pyz)$/.test(argument));
  const path = file === undefined ? undefined : resolve(cwd, file);
  return path !== undefined && statSync(path, { throwIfNoEntry: false })?.isFile() === true
    ? path
    : undefined;
}

function nameOf(program: string): string {
  const stem = basename(program)
    .replace(/\.\w+$/, "")
    .replaceAll(/[^A-Za-z0-9_.-]/g, "-");
  return /^[A-Za-z_]/.test(stem) ? stem : `job-${stem}`;
}

/** The program, the modules beside and below it, and its configuration. */
function depsOf(program: string, root: string): readonly string[] {
  const path = relative(root, program);
  if (path.startsWith("..")) return [];
  const folder = dirname(path);
  const below = folder === "." ? "" : `${folder}/`;
  const globs = [`${below}*.py`, `${below}*/*.py`, `${below}conf*/**/*.{yaml,yml,json}`];
  return [path, ...globs];
}
