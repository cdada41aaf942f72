// `flow graph [SEL…]`

import { EXIT } from "../exit-codes.ts";
import { graphDot, graphJson, graphMermaid, graphText, type NodeStatus } from "../graph/formats.ts";
import { readNodeStatus } from "../graph/node-status.ts";
import { graphSvg } from "../graph/svg.ts";
import { graphView } from "../graph/view.ts";
import type { Command } from "../invocation.ts";
import { openProject } from "../project.ts";
import { paintFor } from "../report/color.ts";

export const command: Command = async (invocation, io) => {
  const project = await openProject(invocation, io);
  if (!project.ok) return project.error;
  const { graph, selection } = project.value;
  const chosen = invocation.positionals.length === 0 ? [...graph.order] : selection.tasks;
  const view = graphView(graph, new Set(chosen), invocation.has("expand"));
  const status: NodeStatus = invocation.has("status")
    ? await readNodeStatus(project.value, chosen, io)
    : () => undefined;
  const format = invocation.has("json") ? "json" : (invocation.value("format") ?? "text");
  switch (format) {
    case "dot":
      io.stdout.write(graphDot(view, status));
      break;
    case "mermaid":
      io.stdout.write(graphMermaid(view, status));
      break;
    case "svg":
      io.stdout.write(graphSvg(view, status));
      break;
    case "json":
      io.stdout.write(`${JSON.stringify(graphJson(view, status), null, 2)}\n`);
      break;
    default: {
      const paint = paintFor(io.stdout, invocation.value("color"), io.env);
      io.stdout.write(graphText(view, { paint, status, columns: io.stdout.columns }));
    }
  }
  return EXIT.ok;
};
