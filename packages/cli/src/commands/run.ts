// `flow run`: what changed is run. When a note of the last run proves that nothing has changed, this
// module is all that is loaded.

import { cacheName, checkEvidence, layout, requestText } from "@flow/core/fresh";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Command, Invocation } from "../invocation.ts";
import type { Io } from "../io.ts";
import { paintFor } from "../report/color.ts";
import { idleVerdict } from "../report/nothing-to-do.ts";
import { cacheRoot, planRequestOf } from "../run/request.ts";

export const command: Command = async (invocation, io) => {
  const asked = planRequestOf(invocation, io);
  if ("problem" in asked) {
    io.stderr.write(`flow: ${asked.problem}\n`);
    return EXIT.usage;
  }
  const { request } = asked;
  const root = cacheRoot(request);
  if (root !== undefined && mayBeFresh(invocation)) {
    const text = requestText(request);
    const file = `${layout(root).cache}/${cacheName("fresh", text)}`;
    const found = checkEvidence(file, text, io.env);
    if (found !== undefined) return nothingToDo(found.summary as FreshSummary, invocation, io);
  }
  const { runPlan } = await import("../run/run-plan.ts");
  return runPlan(invocation, io, request, root);
};

/** What the note says beside that nothing is to do. */
export interface FreshSummary {
  readonly tasks: number;
}

/** Options that ask for more than running what is stale, or whose values are checked elsewhere. */
const ASKING_MORE = [
  ...["force", "failed", "dry-run", "detach", "report-json", "json", "strict", "verbose"],
  ...["gpus", "retries", "timeout"],
];

const mayBeFresh = (invocation: Invocation): boolean =>
  !ASKING_MORE.some((option) => invocation.has(option)) &&
  /^[1-9]\d*$/.test(invocation.value("jobs") ?? "1") &&
  !["json", "live"].includes(invocation.value("output") ?? "");

function nothingToDo({ tasks }: FreshSummary, invocation: Invocation, io: Io): ExitCode {
  if (!invocation.has("quiet") && invocation.value("output") !== "quiet") {
    const paint = paintFor(io.stderr, invocation.value("color"), io.env);
    io.stderr.write(`${idleVerdict(tasks, paint)}\n`);
  }
  return EXIT.ok;
}
