// `flow accept SEL…`: what lies there now, inputs and targets, counts as the result of a success.

import { attemptSerials, newRunId, nodeFileSystem, openInspector } from "@flow/core";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../invocation.ts";
import { openForChange, saveChange } from "../record/change.ts";
import { sanitizeLine } from "../report/sanitize.ts";
import { tasks } from "../report/summary.ts";
import { openSelection } from "../selection.ts";

export const command: Command = async (invocation, io) => {
  const opened = await openSelection(invocation, io);
  if (!opened.ok) return opened.error;
  const { plan, asked, secretValues } = opened.value;
  const state = openForChange(plan.project.root, io);
  if (!state.ok) return state.error;
  const { traces, layout } = state.value;
  const env = { ...io.env, ...secretValues };
  const inspector = openInspector(plan, state.value, { env });
  const endedAt = Date.now();
  const run = newRunId(endedAt);
  const accepted: string[] = [];
  const refused: { task: string; problems: readonly string[] }[] = [];
  for (const task of asked) {
    if (task.actions.length === 0) continue;
    const serial = attemptSerials(layout, task.key, nodeFileSystem).at(-1) ?? 0;
    const trace = await inspector.accept(task, { run, serial, endedAt });
    if (trace.ok) {
      traces.put(task.key, trace.value);
      accepted.push(task.id);
    } else {
      refused.push({ task: task.id, problems: trace.error.map(({ message }) => message) });
    }
  }
  const code = await saveChange(state.value, io);
  if (code !== EXIT.ok) return code;
  if (invocation.has("json")) {
    io.stdout.write(`${JSON.stringify({ accepted, refused }, null, 2)}\n`);
  } else {
    const as = accepted.length === 1 ? "it is" : "they are";
    io.stderr.write(`accepted ${tasks(accepted.length)} as ${as}\n`);
    for (const { task, problems } of refused) {
      io.stderr.write(`flow: ${task} cannot be accepted: ${sanitizeLine(problems.join(" "))}\n`);
    }
  }
  return refused.length > 0 ? EXIT.failed : EXIT.ok;
};
