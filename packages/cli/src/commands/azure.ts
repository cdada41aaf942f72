// `flow azure VERB`: what the project has in Azure Batch, and pools made by hand.

import { dirname } from "node:path";
import { azureVerbs } from "../azure/verbs.ts";
import { loadBackend, placeOf } from "../backends.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Command, Invocation } from "../invocation.ts";
import type { Io } from "../io.ts";
import { type OpenedProject, openProject } from "../project.ts";

export const command: Command = async (invocation, io): Promise<ExitCode> => {
  const [name = "", ...args] = invocation.positionals;
  const verb = Object.hasOwn(azureVerbs, name) ? azureVerbs[name] : undefined;
  if (verb === undefined) {
    const known = Object.keys(azureVerbs).join(", ");
    io.stderr.write(`flow: \`flow azure\` has no verb \`${name}\`; it has ${known}\n`);
    return EXIT.usage;
  }
  const selectors = verb.selects === true ? args : [];
  const project = await openProject(invocation, io, selectors);
  if (!project.ok) return project.error;
  const context = await contextOf(project.value, invocation, io);
  if (typeof context === "string") {
    io.stderr.write(`flow: ${context}\n`);
    return EXIT.usage;
  }
  return verb.run({ args, invocation, io, project: project.value, context });
};

/** The backend that is meant, ready to be asked; otherwise a sentence. */
async function contextOf({ graph, secretValues }: OpenedProject, invocation: Invocation, io: Io) {
  const { project } = graph;
  const declared = project.backends.filter(({ use }) => use === "azure-batch");
  const wanted = invocation.value("backend");
  const chosen = wanted === undefined ? declared : declared.filter(({ name }) => name === wanted);
  const names = declared.map(({ name }) => name).join(", ");
  const [first, second] = chosen;
  if (first === undefined)
    return declared.length === 0
      ? "the flow file names no backend with `type: azure-batch`"
      : `there is no Azure backend \`${wanted}\`; the flow file has ${names}`;
  if (second !== undefined)
    return `the flow file has several Azure backends (${names}); say which with --backend`;
  const plugin = await loadBackend(first.use, dirname(project.file));
  if (!plugin.ok) return plugin.error;
  const env = { ...io.env, ...secretValues };
  const context = placeOf(plugin.value, first.name, first.options, project, env, io);
  return context.ok ? context.value : context.error;
}
