// `flow check [SEL…]`: reads everything, runs nothing.

import { EXIT } from "../exit-codes.ts";
import type { Command } from "../invocation.ts";
import { diagnosticJson, openProject, readProject } from "../project.ts";
import { sanitizeLine } from "../report/sanitize.ts";
import { tasks } from "../report/summary.ts";

export const command: Command = async (invocation, io) => {
  if (invocation.has("json")) return await checkJson(invocation, io);
  const project = await openProject(invocation, io);
  if (!project.ok) return project.error;
  const { graph } = project.value;
  const file = sanitizeLine(graph.project.sources[0] ?? "");
  io.stderr.write(`${file}: ${tasks(graph.tasks.length)}, no errors\n`);
  return EXIT.ok;
};

const checkJson: Command = async (invocation, io) => {
  const read = await readProject(invocation, io);
  const { diagnostics, sources } = read.ok
    ? read.value
    : "problem" in read.error
      ? { diagnostics: [problemDiagnostic(read.error.problem)], sources: [] }
      : read.error;
  const report = {
    ok: read.ok,
    tasks: read.ok ? read.value.graph.tasks.length : undefined,
    diagnostics: diagnostics.map((each) => diagnosticJson(each, sources)),
  };
  io.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  return read.ok ? EXIT.ok : EXIT.usage;
};

const problemDiagnostic = (message: string) => ({
  code: "usage" as const,
  severity: "error" as const,
  message,
  span: undefined,
  related: [],
  fix: undefined,
});
