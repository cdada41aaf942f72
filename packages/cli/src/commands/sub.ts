// `flow sub SCRIPT`: the python lines of a job script as jobs, one per combination of their options.

import { readFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { nodeFileSystem, openInspector, openState, planTasks, whyUnreadable } from "@flow/core";
import { missingBackend } from "../backends.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Command, Invocation } from "../invocation.ts";
import type { Io } from "../io.ts";
import { taskStates } from "../record/task-states.ts";
import { paintFor } from "../report/color.ts";
import { sanitizeLine } from "../report/sanitize.ts";
import { STATE_SIGNS } from "../report/state-signs.ts";
import { table } from "../report/table.ts";
import { detach } from "../run/detach.ts";
import { executePlan } from "../run/execute-plan.ts";
import { workingDirectory } from "../run/request.ts";
import { plainSettings, readNumbers } from "../run/run-plan.ts";
import { type Directives, readDirectives } from "../sub/directives.ts";
import { findCommands } from "../sub/find-commands.ts";
import { FILE, type Jobs, jobsOf } from "../sub/jobs.ts";
import { linkOutput, makeLogs } from "../sub/logs.ts";

export const command: Command = async (invocation, io) => {
  const root = workingDirectory(invocation, io);
  const found = await readScript(invocation, root, io);
  if (typeof found === "string") {
    io.stderr.write(`flow: ${found}\n`);
    return EXIT.usage;
  }
  const { jobs, secretValues } = found;
  const opened = planTasks(
    root,
    FILE,
    jobs.map(({ task }) => task),
    secretValues,
  );
  const missing = await missingBackend(found.backend, opened.plan.project);
  if (missing !== undefined) {
    io.stderr.write(`flow: ${missing}\n`);
    return EXIT.usage;
  }
  if (invocation.has("dry-run")) return show(found, opened.plan, invocation, io);
  const numbers = await readNumbers(invocation);
  if ("problem" in numbers) {
    io.stderr.write(`flow: ${numbers.problem}\n`);
    return EXIT.usage;
  }
  if (invocation.has("detach")) return detach(root, io);
  makeLogs(jobs, root);
  const code = await executePlan(
    opened,
    {
      ...plainSettings(invocation, io),
      ...numbers,
      keepGoing: true,
      failFast: invocation.has("fail-fast"),
      force: invocation.has("force"),
      rerun: () => commandOf(invocation),
    },
    io,
  );
  linkOutput(jobs, root);
  return code;
};

/** The same command line: what has succeeded does not run again. */
function commandOf(invocation: Invocation): readonly string[] {
  const options = ["dir", "backend"].flatMap((option) => {
    const value = invocation.value(option);
    return value === undefined ? [] : [`--${option}`, value];
  });
  return ["flow", "sub", ...options, ...invocation.positionals];
}

/** Returned as text: why the script has no jobs. */
async function readScript(
  invocation: Invocation,
  root: string,
  io: Io,
): Promise<(Jobs & { readonly commands: number; readonly backend: string }) | string> {
  const [name = "", ...args] = invocation.positionals;
  const script = resolve(io.cwd, name);
  let text: string;
  try {
    text = readFileSync(script, "utf8");
  } catch (error) {
    return `the script \`${name}\` cannot be read: ${whyUnreadable(error)}`;
  }
  const directives = readDirectives(text);
  const backend = invocation.value("backend") ?? backendFor(directives, name, io);
  if (typeof backend !== "string") return backend.problem;
  const commands = await findCommands(script, args, root, io);
  if (!commands.ok)
    return `\`${name}\` could not be read to its end, so nothing was started: ${commands.error}`;
  if (commands.value.length === 0) {
    return `\`${name}\` runs no python program; write lines such as \`python main.py lr=0.1,0.01\``;
  }
  const jobs = jobsOf(commands.value, directives, root, backend);
  if (typeof jobs === "string") return jobs;
  for (const option of backend === "slurm" ? directives.left : []) {
    io.stderr.write(
      `flow: \`#SBATCH ${option}\` is left out: flow names jobs and keeps their output itself\n`,
    );
  }
  return { ...jobs, commands: commands.value.length, backend };
}

/** Where the directives of a script send it. */
function backendFor(
  { scheduler }: Directives,
  name: string,
  io: Io,
): string | { readonly problem: string } {
  if (scheduler === undefined) return "local";
  const way = "`--backend local` runs its jobs on this machine";
  if (scheduler !== "SLURM") {
    return { problem: `\`${name}\` is for ${scheduler}, and flow submits to SLURM; ${way}` };
  }
  const folders = (io.env["PATH"] ?? "").split(delimiter);
  const hasSlurm = folders.some(
    (folder) => nodeFileSystem.stat(join(folder, "sbatch")) !== undefined,
  );
  return hasSlurm
    ? "slurm"
    : { problem: `\`${name}\` is for SLURM, and there is no \`sbatch\` here; ${way}` };
}

/** `--dry-run`: every job with its state and its command line. */
async function show(
  found: Jobs & { readonly commands: number; readonly backend: string },
  plan: Parameters<typeof taskStates>[0],
  invocation: Invocation,
  io: Io,
): Promise<ExitCode> {
  const paint = paintFor(io.stdout, invocation.value("color"), io.env);
  const env = { ...io.env, ...found.secretValues };
  const inspector = openInspector(plan, openState(plan.project.root), {
    env,
    isForced: () => invocation.has("force"),
    rebuildModified: false,
    strict: false,
  });
  const { tasks } = await taskStates(plan, inspector, env);
  const rows = tasks.map(({ task, state }, index) => {
    const { sign, word, style } = STATE_SIGNS[state];
    const label = state === "stale" ? "run" : word;
    return [
      { text: `${sign} ${label}`, paint: (text: string) => paint(style, text) },
      { text: sanitizeLine(task.id) },
      { text: sanitizeLine(found.jobs[index]?.argv.join(" ") ?? "") },
    ];
  });
  io.stdout.write(table(rows, io.stdout.columns));
  const open = tasks.filter(({ state }) => state !== "fresh").length;
  const lines = found.commands === 1 ? "1 command" : `${found.commands} commands`;
  io.stdout.write(`${open} of ${rows.length} jobs of ${lines} would run on \`${found.backend}\`\n`);
  return EXIT.ok;
}
