// An input is missing because the task that makes it is left out: said with the task's name.

import { compileGlob } from "../graph/glob.ts";
import type { Task } from "../model/task.ts";
import type { InputProblem } from "./trace.ts";

/** The problem with the task that would have mended it, if it is one of these, whose `when` does not hold. */
export function nameLeftOut(problem: InputProblem, leftOut: readonly Task[]): InputProblem {
  const maker = leftOut.find((task) => makes(task, problem));
  if (maker === undefined) return problem;
  const { id, when } = maker;
  const why = `\`${id}\` makes it, and is skipped because \`when: ${when?.expression ?? ""}\` does not hold.`;
  return { ...problem, message: `${problem.message} ${why}` };
}

function makes({ targets, values }: Task, { kind, path }: InputProblem): boolean {
  switch (kind) {
    case "missing":
      return targets.some((target) => `${path}/`.startsWith(`${target.path}/`));
    case "no-match": {
      const { matches } = compileGlob(path);
      return targets.some((target) => matches(target.path) || path.startsWith(`${target.path}/`));
    }
    case "value":
      return values === path;
    default:
      return false;
  }
}
