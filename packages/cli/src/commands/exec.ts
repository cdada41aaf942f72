// `flow exec -- COMMAND`: one command as a task of its own, with record, log, checkpoint and all.

import { spawn } from "node:child_process";
import { basename, resolve } from "node:path";
import {
  ATTEMPT_FILES,
  lastAttempt,
  layout,
  nodeFileSystem,
  type OpenedPlan,
  planSingleTask,
} from "@flow/core";
import { missingBackend } from "../backends.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Command, Invocation } from "../invocation.ts";
import type { Io } from "../io.ts";
import { LogCopy } from "../report/log-copy.ts";
import { maskFor } from "../report/mask.ts";
import { detach } from "../run/detach.ts";
import { type ExecutionSettings, executePlan } from "../run/execute-plan.ts";
import { workingDirectory } from "../run/request.ts";
import { plainSettings, readLimits } from "../run/run-plan.ts";

export const command: Command = async (invocation, io) => {
  const root = workingDirectory(invocation, io);
  const argv = invocation.positionals;
  if (invocation.has("direct")) return runDirectly(argv, root, io);
  const limits = await readLimits(invocation);
  const name = invocation.value("name") ?? nameOf(argv);
  if ("problem" in limits || !/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name)) {
    const problem =
      "problem" in limits
        ? limits.problem
        : `--name takes letters, digits and _.-, beginning with a letter or _, not \`${name}\``;
    io.stderr.write(`flow: ${problem}\n`);
    return EXIT.usage;
  }
  const backend = invocation.value("backend") ?? "local";
  const plan = planSingleTask(root, name, argv, backend);
  const missing = await missingBackend(backend, plan.plan.project);
  if (missing !== undefined) {
    io.stderr.write(`flow: ${missing}\n`);
    return EXIT.usage;
  }
  if (invocation.has("detach")) return detach(root, io);
  const settings = settingsOf(invocation, io, limits);
  const code = await executePlan(plan, settings, io);
  if (code === EXIT.ok && settings.mode !== "json") await showOutput(plan, io);
  return code;
};

/** What the command has written, stdout to stdout and stderr to stderr. */
async function showOutput({ plan }: OpenedPlan, io: Io): Promise<void> {
  const places = layout(plan.project.root);
  for (const { key } of plan.tasks) {
    const directory = lastAttempt(places, key, nodeFileSystem)?.directory;
    for (const name of ["stderr", "stdout"] as const) {
      const copy = new LogCopy(`${directory}/${ATTEMPT_FILES[name]}`, io[name], maskFor([], {}));
      await copy.begin(undefined);
      copy.end();
    }
  }
}

const settingsOf = (
  invocation: Invocation,
  io: Io,
  limits: Pick<ExecutionSettings, "retries" | "timeoutMs" | "gpus">,
): ExecutionSettings => ({
  ...plainSettings(invocation, io),
  ...limits,
  slots: 1,
  rerun: (task) => (task === undefined ? undefined : commandOf(invocation)),
});

/** The same command line, for running it again. */
function commandOf(invocation: Invocation): readonly string[] {
  const options = ["dir", "backend", "name", "gpus", "retries", "timeout"].flatMap((option) => {
    const value = invocation.value(option);
    return value === undefined ? [] : [`--${option}`, value];
  });
  return ["flow", "exec", ...options, "--", ...invocation.positionals];
}

/** `python train.py --lr 1` is `train`; `make` is `make`. */
function nameOf(argv: readonly string[]): string {
  const script = argv.slice(1).find((argument) => /^[^-].*\.\w+$/.test(argument)) ?? argv[0] ?? "";
  const stem = basename(script).replace(/\.\w+$/, "");
  const name = stem.replaceAll(/[^A-Za-z0-9_.-]/g, "-");
  return /^[A-Za-z_]/.test(name) ? name : `task-${name}`;
}

/** Without the contract: the command has the terminal, its exit code is ours. */
function runDirectly(argv: readonly string[], root: string, io: Io): Promise<ExitCode> {
  const [program = "", ...args] = argv;
  return new Promise((done) => {
    const child = spawn(program, args, { cwd: resolve(root), stdio: "inherit", env: io.env });
    const release = io.onSignal((signal) => child.kill(signal));
    child.once("error", (error) => {
      release();
      io.stderr.write(`flow: \`${program}\` cannot be started: ${error.message}\n`);
      done(EXIT.outside);
    });
    child.once("exit", (code, signal) => {
      release();
      done((code ?? (signal === "SIGINT" ? EXIT.interrupted : EXIT.failed)) as ExitCode);
    });
  });
}
