// Actions of a task that is ready, with the deps filled in whose paths only now are known, each as it
// is seen from the folder in which the action runs.

import { isAbsolute, join } from "node:path";
import type { JobAction } from "../backend/backend.ts";
import { asArgument, seenFrom } from "../graph/paths.ts";
import type { Action, Task, Text } from "../model/task.ts";
import type { InputSnapshot } from "../trace/trace.ts";

const SHELLS = {
  sh: ["sh", "-e", "-c"],
  bash: ["bash", "-eo", "pipefail", "-c"],
} as const;

/** Actions as a backend starts them: the deps that are known now filled in. */
export const jobActions = (
  actions: readonly Action[],
  task: Task,
  root: string,
  inputs: InputSnapshot,
): readonly JobAction[] => actions.map((action) => jobAction(action, task, root, inputs));

function jobAction(action: Action, task: Task, root: string, inputs: InputSnapshot): JobAction {
  const paths = lateDeps(action, task, root, inputs);
  const argv =
    action.kind === "shell"
      ? [...SHELLS[action.shell], joined(action.text, paths)]
      : action.argv.flatMap((argument) => argumentsOf(argument, paths));
  const stdin = action.stdin;
  return {
    argv,
    cwd: join(root, action.cwd ?? task.cwd),
    env: action.env,
    timeoutMs: action.timeoutMs,
    okExit: action.okExit,
    stdin: stdin === undefined || isAbsolute(stdin) ? stdin : join(root, stdin),
  };
}

/** Paths of a named dep, as an action must get them. */
type LateDeps = (name: string) => readonly string[];

const lateDeps =
  (action: Action, task: Task, root: string, { expansions }: InputSnapshot): LateDeps =>
  (name) =>
    (expansions[name] ?? []).map((path) =>
      asArgument(seenFrom(action.cwd ?? task.cwd, path, root)),
    );

const quoted = (word: string): string =>
  /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** Text with the expansions of its dependencies filled in. */
function joined(text: Text, pathsOf: LateDeps): string {
  if (typeof text === "string") return text;
  return text
    .map((part) => {
      if (typeof part === "string") return part;
      const paths = pathsOf(part.dep);
      return (part.form === "shell" ? paths.map(quoted) : paths).join(" ");
    })
    .join("");
}

/** One argument, or several when it is nothing but a dependency with several paths. */
function argumentsOf(text: Text, pathsOf: LateDeps): readonly string[] {
  if (typeof text !== "string" && text.length === 1) {
    const [only] = text;
    if (typeof only === "object" && only.form === "argv") return pathsOf(only.dep);
  }
  return [joined(text, pathsOf)];
}

/** A command as a person would type it. */
export function commandLine(
  action: Action,
  task: Task,
  root: string,
  inputs: InputSnapshot,
): string {
  const paths = lateDeps(action, task, root, inputs);
  return action.kind === "shell"
    ? joined(action.text, paths)
    : action.argv
        .flatMap((argument) => argumentsOf(argument, paths))
        .map(quoted)
        .join(" ");
}
