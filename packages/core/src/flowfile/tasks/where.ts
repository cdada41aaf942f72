// `where:` selects members of a referenced task: bare names are its axes, `matrix.x` is the referring
// member's own value.

import type { Node } from "../document/node.ts";
import { spanOf, textOf } from "../document/node.ts";
import { evaluate } from "../expression/evaluate.ts";
import { readExpression } from "../expression/read.ts";
import type { Combination } from "../matrix.ts";
import type { Member } from "./declare.ts";
import type { Selected } from "./references.ts";
import type { Loading } from "./scope.ts";

/** The members of `selected` for which the expression holds; all without one. */
export function selectMembers(
  selected: Selected,
  where: Node | undefined,
  own: Member,
  loading: Loading,
): Selected {
  if (where === undefined) return selected;
  const { axisNames } = selected.template.matrix;
  const ownNames = [...own.combination.values.keys()].map((name) => `matrix.${name}`);
  const params = own.scope.paramNames.map((name) => `params.${name}`);
  const examples = [...axisNames, ...ownNames, ...params];
  const known = { has: (name: string) => examples.includes(name), examples };
  const read = readExpression(where, known, loading);
  if (read === undefined) return { ...selected, members: [] };
  const members = selected.members.filter(({ combination }) =>
    evaluate(read.expression, (name) => value(name, combination, own)),
  );
  if (members.length === 0) {
    loading.report.error(
      "no-match",
      spanOf(where),
      `no member of \`${selected.template.name}\` fulfils \`${textOf(where)}\``,
      { fix: valuesOf(axisNames, selected) },
    );
  }
  return { ...selected, members, gathered: true };
}

const SHOWN = 8;

/** What its axes are, over the members that the expression chose among. */
function valuesOf(axisNames: readonly string[], { template, members }: Selected): string {
  if (axisNames.length === 0) return `\`${template.name}\` has no axes; remove \`where\`.`;
  const axes = axisNames.map((axis) => {
    const values = [...new Set(members.map(({ combination }) => combination.axes.get(axis) ?? ""))];
    return `${axis} is one of ${values.slice(0, SHOWN).join(", ")}${values.length > SHOWN ? ", …" : ""}`;
  });
  return `Its axes: ${axes.join("; ")}.`;
}

function value(name: string, combination: Combination, own: Member): string | undefined {
  const axis = combination.axes.get(name);
  if (axis !== undefined) return axis;
  const [root = "", ...rest] = name.split(".");
  const key = rest.join(".");
  return root === "params" ? own.scope.paramText(key) : own.combination.values.get(key);
}
