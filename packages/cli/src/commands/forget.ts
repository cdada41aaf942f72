// `flow forget SEL…|--all`: the tasks count as never done; files stay where they are.

import { markForgotten, nodeFileSystem } from "@flow/core";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../invocation.ts";
import { openProject } from "../project.ts";
import { openForChange, saveChange } from "../record/change.ts";
import { tasks } from "../report/summary.ts";

export const command: Command = async (invocation, io) => {
  const isAll = invocation.has("all");
  if (isAll === invocation.positionals.length > 0) {
    io.stderr.write("flow: `flow forget` needs either selectors or --all.\n");
    return EXIT.usage;
  }
  const project = await openProject(invocation, io);
  if (!project.ok) return project.error;
  const { graph, selection } = project.value;
  const asked = isAll ? graph.tasks : selection.asked.flatMap((index) => graph.tasks[index] ?? []);
  const state = openForChange(graph.project.root, io);
  if (!state.ok) return state.error;
  const known = asked.filter(({ key }) => state.value.traces.get(key) !== undefined);
  for (const { key } of known) {
    markForgotten(state.value.layout, key, nodeFileSystem);
    state.value.traces.remove(key);
  }
  const code = await saveChange(state.value, io);
  if (code !== EXIT.ok) return code;
  const names = known.map(({ id }) => id);
  if (invocation.has("json")) io.stdout.write(`${JSON.stringify({ forgotten: names }, null, 2)}\n`);
  else io.stderr.write(`forgot ${tasks(names.length)}; their files stay\n`);
  return EXIT.ok;
};
