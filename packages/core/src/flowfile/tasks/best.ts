// `best(train, max metrics.val.acc)` as a dependency: of a task's members the one with the best
// metric, or the best for each value of some axes.

import { didYouMean } from "../../diagnostics/suggest.ts";
import type { Candidate, Span } from "../../model/task.ts";
import type { MapNode, Node, ScalarNode } from "../document/node.ts";
import { child, spanOf } from "../document/node.ts";
import { readObjective } from "../sweep/search.ts";
import type { Member, TaskTemplate } from "./declare.ts";
import type { FieldReader } from "./fields.ts";
import type { Loading } from "./scope.ts";

/** `best(train, max metrics.val.acc, per: model)` as the map it is short for; undefined for other text. */
export function bestCall(node: ScalarNode): MapNode | undefined {
  if (!node.text.startsWith("best(")) return undefined;
  const match = /^best\(\s*([^,]+?)\s*,\s*([^,]+?)\s*(?:,\s*per:\s*(.+?)\s*)?\)$/.exec(node.text);
  if (match === null) return undefined;
  const [, task = "", best = "", per] = match;
  const place = { file: node.file, start: node.start, end: node.end };
  const scalar = (text: string): ScalarNode => ({ kind: "scalar", value: text, text, ...place });
  const entry = (key: string, value: Node) => [key, { key: scalar(key), value }] as const;
  const axes = per?.split(/[\s,]+/).map(scalar);
  return {
    kind: "map",
    entries: new Map([
      entry("task", scalar(task)),
      entry("best", scalar(best)),
      ...(axes === undefined ? [] : [entry("per", { kind: "list", items: axes, ...place })]),
    ]),
    ...place,
  };
}

/** How the members of a task compete. */
interface Contest {
  (member: Member): Candidate;
  /** There may be several winners. */
  readonly isMany: boolean;
}

/** The contest a dep asks for; undefined when it asks for none, false after a complaint. */
export function readBest(
  node: MapNode,
  { name, matrix: { axisNames } }: TaskTemplate,
  reader: FieldReader,
  place: Span,
): Contest | undefined | false {
  const bestNode = child(node, "best");
  if (bestNode === undefined) return undefined;
  const perNode = child(node, "per");
  const per = reader.texts(perNode);
  const { filling } = reader;
  const objective = readObjective(bestNode, filling);
  const unknown = per.find((axis) => !axisNames.includes(axis));
  if (unknown !== undefined) {
    filling.report.error(
      "unknown-axis",
      spanOf(perNode ?? node),
      `\`${name}\` has no axis \`${unknown}\``,
      { fix: didYouMean(unknown, axisNames) ?? `Its axes: ${axisNames.join(", ")}.` },
    );
  }
  if (objective === undefined || unknown !== undefined) return false;
  const contest = ({ key, combination }: Member): Candidate => ({
    task: key,
    ...objective,
    choice: [place.start, ...per.map((axis) => combination.axes.get(axis) ?? "")].join(" "),
  });
  return Object.assign(contest, { isMany: per.length > 0 });
}

/** A candidate that has no target, or several. */
export function refuseBest(
  { id, targets }: Member,
  count: number,
  node: Node,
  { report }: Loading,
): void {
  const names = targets.map((target) => target.name ?? target.path);
  report.error(
    "ambiguous-target",
    spanOf(node),
    `the best one is one target, but \`${id}\` has ${count === 0 ? "none" : count}`,
    {
      fix:
        count === 0 ? "Give it a target." : `Say which with \`target:\`, of ${names.join(", ")}.`,
    },
  );
}
