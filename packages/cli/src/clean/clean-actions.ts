// The actions of `clean: [actions]`, run one after the other with their output on stderr.

import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Action, Task, Text } from "@flow/core";

const SHELLS = { sh: ["sh", "-e", "-c"], bash: ["bash", "-eo", "pipefail", "-c"] } as const;

/** Undefined when all went well; else what did not, in a sentence. */
export async function runCleanActions(
  task: Task,
  actions: readonly Action[],
  root: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  for (const action of actions) {
    const [program = "", ...args] =
      action.kind === "shell"
        ? [...SHELLS[action.shell], plain(action.text)]
        : action.argv.map(plain);
    const code = await run(program, args, {
      cwd: join(root, action.cwd ?? task.cwd),
      env: { ...env, ...task.env, ...action.env },
    });
    if (typeof code === "string" || !action.okExit.includes(code)) {
      return `the clean action of ${task.id} failed: ${typeof code === "string" ? code : `exit ${code}`}`;
    }
  }
  return undefined;
}

/** Paths of dependencies are not filled in: cleaning happens when nothing is ready. */
const plain = (text: Text): string =>
  typeof text === "string" ? text : text.filter((part) => typeof part === "string").join("");

function run(
  program: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<number | string> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { ...options, stdio: ["ignore", 2, 2] });
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(code ?? `killed by ${signal ?? "a signal"}`));
  });
}
