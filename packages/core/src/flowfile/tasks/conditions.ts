// `when`, `require`, and the contradictions between keys that decide whether a task runs.

import type { Condition } from "../../model/task.ts";
import type { Node } from "../document/node.ts";
import { asList, child, entriesOf, spanOf } from "../document/node.ts";
import type { KnownNames } from "../expression/check.ts";
import { readExpression } from "../expression/read.ts";
import type { Member } from "./declare.ts";
import type { FieldReader } from "./fields.ts";
import type { Loading } from "./scope.ts";

/** Reports what cannot be true together. */
export function checkFreshness(reader: FieldReader): void {
  const node = reader.node("frozen");
  if (node === undefined || !reader.flag("always") || !reader.flag("frozen")) return;
  reader.filling.report.error(
    "conflict",
    spanOf(node),
    "`always` and `frozen` contradict each other",
    { fix: "Keep one of them." },
  );
}

/** A condition, checked; undefined when there is none or it is wrong. */
export function readCondition(
  node: Node | undefined,
  member: Member,
  loading: Loading,
): Condition | undefined {
  if (node === undefined) return undefined;
  const check = node.kind === "map" ? child(node, "check") : node;
  const message = member.reader.text(child(node, "message"));
  if (check === undefined) return undefined;
  const read = readExpression(check, knownNames(member), loading);
  return read && { expression: read.text, message, span: spanOf(check) };
}

/** `require:`, one condition or several. */
export function readRequire(member: Member, loading: Loading): readonly Condition[] {
  const node = member.reader.node("require");
  if (node === undefined) return NO_CONDITIONS;
  return asList(node).flatMap((one) => readCondition(one, member, loading) ?? []);
}

const NO_CONDITIONS: readonly Condition[] = [];

/** What `when` and `require` can name. */
function knownNames({ scope, combination, reader }: Member): KnownNames {
  const uses = [...entriesOf(reader.node("uses"))].map(([name]) => `uses.${name}`);
  const examples = [
    ...scope.paramNames.map((name) => `params.${name}`),
    ...[...combination.values.keys()].map((name) => `matrix.${name}`),
    ...uses,
    "task.id",
    "task.name",
    "task.slug",
  ];
  return {
    examples,
    has: (name) =>
      examples.includes(name) ||
      /^env\.\w+$/.test(name) ||
      uses.some((use) => name.startsWith(`${use}.`)) ||
      (name.startsWith("params.") && combination.values.has(name.slice(7))),
  };
}
