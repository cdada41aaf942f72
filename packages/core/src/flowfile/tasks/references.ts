// Finds the tasks that others name: `train`, `ns/train`, `train[*]`, `train[seed=0]`,
// `train@framework=torch`. Without brackets the axes that both tasks share pair their members.

import type { Report } from "../../diagnostics/report.ts";
import { didYouMean, suggest } from "../../diagnostics/suggest.ts";
import type { Span } from "../../model/task.ts";
import { spanOf } from "../document/node.ts";
import { decodeValue } from "../names.ts";
import type { Member, TaskTemplate } from "./declare.ts";

/** What a reference selects. */
export interface Selected {
  readonly template: TaskTemplate;
  readonly members: readonly Member[];
  /** True when it stands for several members as a whole, even if there is one. */
  readonly gathered: boolean;
}

/** Who refers: its namespace decides what a bare name means, its axes pair members. */
export interface Referrer {
  readonly namespace: string;
  readonly member: Member;
}

/** All tasks of a project by name. */
export class TaskIndex {
  readonly #templates = new Map<string, TaskTemplate>();
  readonly #paired = new Map<string, ReadonlyMap<string, readonly Member[]>>();
  readonly #report: Report;

  constructor(templates: readonly TaskTemplate[], report: Report) {
    this.#report = report;
    for (const template of templates) this.#templates.set(template.name, template);
    for (const template of templates) this.#addAliases(template);
  }

  /** The template a name means in a namespace: one's own file first, then the whole project. */
  find(name: string, namespace: string): TaskTemplate | undefined {
    return this.#templates.get(namespace + name) ?? this.#templates.get(name);
  }

  #addAliases(template: TaskTemplate): void {
    const reader = template.members[0]?.reader;
    const node = reader?.node("alias");
    if (reader === undefined || node === undefined) return;
    for (const alias of reader.texts(node)) {
      const name = template.source.namespace + alias;
      const other = this.#templates.get(name);
      if (other === undefined) this.#templates.set(name, template);
      else if (other !== template) {
        this.#report.error("duplicate-task", spanOf(node), `\`${alias}\` already names a task`, {
          related: [{ span: spanOf(other.nameNode), message: "here" }],
        });
      }
    }
  }

  /** Resolves a reference; undefined after it has said why it cannot. */
  resolve(text: string, referrer: Referrer, span: Span): Selected | undefined {
    const match = /^([^@[\]]+)(?:@(.+)|\[(.*)\])?$/.exec(text.trim());
    if (match?.[1] === undefined) {
      this.#report.error("bad-reference", span, `\`${text}\` is no reference to a task`, {
        fix: "Write a name, `name[*]` for all its members, or `name@axis=value` for some.",
      });
      return undefined;
    }
    const template = this.find(match[1].trim(), referrer.namespace);
    if (template === undefined) {
      this.#report.error("unknown-task", span, `there is no task \`${match[1].trim()}\``, {
        fix: suggest(match[1].trim(), this.#templates.keys(), "This file has no tasks."),
      });
      return undefined;
    }
    const filter = match[2] ?? match[3];
    if (filter === undefined) return this.#pair(template, referrer, span);
    if (filter.trim() === "*") return { template, members: template.members, gathered: true };
    return this.#filter(template, filter, span);
  }

  /** The members with the same values on the axes that both have; all when there are none. */
  #pair(template: TaskTemplate, { member }: Referrer, span: Span): Selected | undefined {
    const shared = template.matrix.axisNames.filter((axis) => member.combination.axes.has(axis));
    if (shared.length === 0) {
      const gathered = template.matrix.axisNames.length > 0;
      return { template, members: template.members, gathered };
    }
    const index = this.#pairedBy(template, shared);
    const members = index.get(pairKey(member, shared)) ?? [];
    if (members.length === 0 && template.members.length > 0) {
      const values = shared.map((axis) => `${axis}=${member.combination.axes.get(axis) ?? ""}`);
      this.#report.error(
        "no-match",
        span,
        `\`${template.name}\` has no member with ${values.join(", ")}`,
        {
          fix: `Write \`${template.name}[*]\` to gather all its members.`,
        },
      );
      return undefined;
    }
    return { template, members, gathered: shared.length < template.matrix.axisNames.length };
  }

  #pairedBy(
    template: TaskTemplate,
    shared: readonly string[],
  ): ReadonlyMap<string, readonly Member[]> {
    const key = `${template.name}\0${shared.join("\0")}`;
    let index = this.#paired.get(key);
    if (index === undefined) {
      const made = new Map<string, Member[]>();
      for (const member of template.members) {
        const values = pairKey(member, shared);
        const same = made.get(values);
        if (same === undefined) made.set(values, [member]);
        else same.push(member);
      }
      index = made;
      this.#paired.set(key, index);
    }
    return index;
  }

  #filter(template: TaskTemplate, filter: string, span: Span): Selected | undefined {
    const wanted: (readonly [string, string])[] = [];
    for (const part of filter.split(",")) {
      const [axis = "", ...rest] = part.split("=");
      const name = axis.trim();
      if (rest.length === 0 || !template.matrix.axisNames.includes(name)) {
        this.#report.error("unknown-axis", span, `\`${template.name}\` has no axis \`${name}\``, {
          fix: didYouMean(name, template.matrix.axisNames) ?? axesOf(template),
        });
        return undefined;
      }
      wanted.push([name, rest.join("=").trim()]);
    }
    const members = template.members.filter(({ combination }) =>
      wanted.every(([axis, value]) => {
        const text = combination.axes.get(axis);
        return text === value || text === decodeValue(value);
      }),
    );
    if (members.length > 0) {
      const fixed = new Set(wanted.map(([axis]) => axis));
      return {
        template,
        members,
        gathered: !template.matrix.axisNames.every((axis) => fixed.has(axis)),
      };
    }
    this.#report.error("no-match", span, `\`${template.name}\` has no member with ${filter}`, {
      fix: "Values are compared as they are written: `10.` is not `10`.",
    });
    return undefined;
  }
}

function pairKey(member: Member, shared: readonly string[]): string {
  return shared.map((axis) => member.combination.axes.get(axis) ?? "").join("\0");
}

function axesOf(template: TaskTemplate): string {
  const { axisNames } = template.matrix;
  return axisNames.length === 0 ? "It has no matrix." : `Its axes: ${axisNames.join(", ")}.`;
}
