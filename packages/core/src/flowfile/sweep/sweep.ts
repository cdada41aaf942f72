// What the parameters given on the command line make of the tasks: which tasks they multiply, and
// under which name and key each combination is known, so that the same combination is the same task
// whoever asks for it.

import type { Report } from "../../diagnostics/report.ts";
import type { Node } from "../document/node.ts";
import { child, entriesOf, spanOf } from "../document/node.ts";
import type { Overrides, RawDimension } from "../overrides.ts";
import type { Param } from "../params.ts";
import { asParam } from "../params.ts";
import { MAX_MEMBERS } from "../range.ts";
import type { ReadFile } from "../read-files.ts";
import type { TaskOutline } from "../tasks/declare.ts";
import type { FlowSource, Loading } from "../tasks/scope.ts";
import { addMentions, fullName, readUsage, type Usage } from "./usage.ts";

/** A parameter of one of the files. */
interface Column {
  /** With the namespace. */
  readonly name: string;
  /** The position of its file. */
  readonly owner: number;
  /** As its file calls it. */
  readonly local: string;
}

/** Parameters varied together. */
interface Dimension {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Param[])[];
}

/** What a sweep adds to one member of a template. */
export interface SweepMember {
  /** Added to the task's name. */
  readonly axes: ReadonlyMap<string, string>;
  /** What keeps the combination apart on disk; more than `axes`, less than all parameters. */
  readonly identity: ReadonlyMap<string, string>;
  /** Values of the template's own parameters. */
  readonly params: ReadonlyMap<string, Param>;
}

/** All that the command line asks, by template. */
export interface Sweep {
  /** Names of the axes of which there are several values. */
  axisNames(outline: TaskOutline): readonly string[];
  members(outline: TaskOutline): readonly SweepMember[];
}

/** Whose file a parameter belongs to: `ns.name` to the include `ns` unless the top file has it. */
export function ownerOf(
  name: string,
  files: readonly Pick<ReadFile, "map" | "namespace">[],
): { readonly owner: number; readonly local: string } {
  const [first = ""] = name.split(".");
  const isOwn = child(child(files[0]?.map, "params"), first) !== undefined;
  let owner = 0;
  let length = 0;
  for (const [position, { namespace }] of files.entries()) {
    const prefix = fullName(namespace, "");
    if (isOwn || !name.startsWith(prefix) || prefix.length <= length) continue;
    owner = position;
    length = prefix.length;
  }
  return { owner, local: name.slice(length) };
}

/** Reports what cannot be swept. */
export function planSweep(
  overrides: Overrides,
  sources: readonly FlowSource[],
  outlines: readonly TaskOutline[],
  loading: Loading,
): Sweep {
  const usage = readUsage(outlines);
  const dimensions = overrides.dimensions.map((raw) => dimensionOf(raw, sources, loading.report));
  const swept = dimensions.flatMap(({ columns }) => columns);
  for (const column of swept) {
    const span = overrides.params.find(({ name }) => name === column.name)?.span;
    if (span !== undefined) checkColumn(column, span, { sources, outlines, usage, loading });
  }
  return new CommandLineSweep(dimensions, usage, sources, loading.report);
}

function dimensionOf(
  { names, rows }: RawDimension,
  sources: readonly FlowSource[],
  report: Report,
): Dimension {
  const columns = names.map((name) => ({ name, ...ownerOf(name, sources) }));
  const params = rows.flatMap((row) => {
    const found = row.flatMap(
      (node, index) => asParam(columns[index]?.local ?? "", node, report) ?? [],
    );
    return found.length === columns.length ? [found] : [];
  });
  return { columns, rows: params };
}

interface Checking {
  readonly sources: readonly FlowSource[];
  readonly outlines: readonly TaskOutline[];
  readonly usage: ReadonlyMap<string, Usage>;
  readonly loading: Loading;
}

/** A sweep goes through tasks: a parameter that is none of a task's has one value. */
function checkColumn(
  { name, owner, local }: Column,
  span: ReturnType<typeof spanOf>,
  { sources, outlines, usage, loading: { report } }: Checking,
): void {
  const source = sources[owner];
  if (source === undefined || !source.params.has(local)) return;
  const related = [{ span, message: "several values are given here" }];
  for (const [where, node] of fileLevel(source, outlines)) {
    const named = new Set<string>();
    addMentions(node, source, named);
    if (!named.has(local)) continue;
    report.error(
      "param-sweep",
      spanOf(node),
      `\`${name}\` cannot have several values in one run, because ${where} names it`,
      { related, fix: "Name it in the tasks that differ by it, or give it one value." },
    );
    return;
  }
  const users = outlines.filter((outline) => usage.get(outline.name)?.uses.has(name) === true);
  const budget = users.find((outline) => usage.get(outline.name)?.budget.has(name) === true);
  if (budget !== undefined) {
    report.error(
      "param-sweep",
      span,
      `\`${name}\` is in the budget of \`${budget.name}\`: its values are stages of one task, not several tasks`,
      {
        related: [{ span: spanOf(budget.nameNode), message: "the task" }],
        fix: "Give the largest value alone, or take the parameter out of `budget:`.",
      },
    );
  } else if (users.length === 0) {
    report.error("param-sweep", span, `no task names \`${name}\`, so all its values are one run`, {
      fix: `Write \`\${{ params.${local} }}\` in an action of the task that reads it.`,
    });
  }
}

/** What all tasks of a file share, and the matrices, by what it is called. */
function* fileLevel(
  source: FlowSource,
  outlines: readonly TaskOutline[],
): Generator<readonly [string, Node]> {
  for (const key of ["env", "dotenv", "backends"]) {
    for (const [name, { value }] of entriesOf(child(source.map, key))) {
      yield [`\`${key}: ${name}\` of the whole file`, value];
    }
  }
  for (const { source: owner, matrixNode, name } of outlines) {
    if (owner === source && matrixNode !== undefined)
      yield [`the matrix of \`${name}\``, matrixNode];
  }
}

/** The one member of a template that no parameter multiplies or names. */
export const unswept: readonly SweepMember[] = [
  { axes: new Map(), identity: new Map(), params: new Map() },
];

const NO_DIMENSIONS: readonly Dimension[] = [];

class CommandLineSweep implements Sweep {
  readonly #dimensions: readonly Dimension[];
  readonly #usage: ReadonlyMap<string, Usage>;
  readonly #sources: readonly FlowSource[];
  readonly #report: Report;

  constructor(
    dimensions: readonly Dimension[],
    usage: ReadonlyMap<string, Usage>,
    sources: readonly FlowSource[],
    report: Report,
  ) {
    this.#dimensions = dimensions;
    this.#usage = usage;
    this.#sources = sources;
    this.#report = report;
  }

  axisNames(outline: TaskOutline): readonly string[] {
    return this.#parts(outline).flatMap(({ columns }) => columns.map(({ name }) => name));
  }

  members(outline: TaskOutline): readonly SweepMember[] {
    const parts = this.#parts(outline);
    const identity = this.#usage.get(outline.name)?.identity;
    if (parts.length === 0 && (identity === undefined || identity.size === 0)) return unswept;
    const size = parts.reduce((product, { rows }) => product * rows.length, 1);
    if (size * outline.matrix.members.length > MAX_MEMBERS) {
      this.#report.error(
        "bad-value",
        spanOf(outline.nameNode),
        `\`${outline.name}\` would have ${size * outline.matrix.members.length} members; the limit is ${MAX_MEMBERS}`,
        { fix: "Give fewer values at once." },
      );
      return [];
    }
    let members: readonly SweepMember[] = [{ ...this.#fixed(outline), params: new Map() }];
    for (const { columns, rows } of parts) {
      members = members.flatMap((member) =>
        rows.map((row) => this.#extended(member, columns, row, outline)),
      );
    }
    return members.map((member) => ({
      ...member,
      axes: sorted(member.axes, (name) => this.#rank(name)),
      // By name alone, so that moving a parameter within its file makes no other task.
      identity: sorted(member.identity, () => 0),
    }));
  }

  /** Where the parameter is defined, so that names do not depend on the order on the command line. */
  #rank(name: string): number {
    const { owner, local } = ownerOf(name, this.#sources);
    return owner * 1e6 + [...(this.#sources[owner]?.params.names ?? [])].indexOf(local);
  }

  #extended(
    member: SweepMember,
    columns: readonly Column[],
    row: readonly Param[],
    { source }: TaskOutline,
  ): SweepMember {
    const values = columns.flatMap((column, index) => {
      const param = row[index];
      return param === undefined ? [] : [{ column, param }];
    });
    const texts = values.map(({ column, param }) => [column.name, param.text] as const);
    const own = values.filter(({ column }) => this.#sources[column.owner] === source);
    return {
      axes: new Map([...member.axes, ...texts]),
      identity: new Map([...member.identity, ...texts]),
      params: new Map([
        ...member.params,
        ...own.map(({ column, param }) => [column.local, param] as const),
      ]),
    };
  }

  /** The dimensions as far as the template uses them, equal rows once. */
  #parts(outline: TaskOutline): readonly Dimension[] {
    const uses = this.#usage.get(outline.name)?.uses;
    if (uses === undefined || uses.size === 0) return NO_DIMENSIONS;
    return this.#dimensions.flatMap(({ columns, rows }) => {
      const kept = [...columns.keys()].filter((index) => uses.has(columns[index]?.name ?? ""));
      if (kept.length === 0) return [];
      const distinct = new Map(
        rows.map((row) => {
          const part = kept.flatMap((index) => row[index] ?? []);
          return [part.map(({ text }) => text).join("\0"), part] as const;
        }),
      );
      return [
        { columns: kept.flatMap((index) => columns[index] ?? []), rows: [...distinct.values()] },
      ];
    });
  }

  /** Parameters with one value that tell this template's combinations apart. */
  #fixed(outline: TaskOutline): Pick<SweepMember, "axes" | "identity"> {
    const varied = new Set(this.axisNames(outline));
    const axes = new Map<string, string>();
    const identity = new Map<string, string>();
    for (const name of this.#usage.get(outline.name)?.identity ?? []) {
      const { owner, local } = ownerOf(name, this.#sources);
      const source = this.#sources[owner];
      const text = source?.params.text(local);
      if (varied.has(name) || text === undefined) continue;
      identity.set(name, text);
      if (source?.given.has(local) === true) axes.set(name, text);
    }
    return { axes, identity };
  }
}

/** Entries by rank, and by name among equals. */
function sorted(
  entries: ReadonlyMap<string, string>,
  rank: (name: string) => number,
): ReadonlyMap<string, string> {
  if (entries.size < 2) return entries;
  const ranked = [...entries].map((entry) => [rank(entry[0]), entry] as const);
  ranked.sort(([one, [a]], [other, [b]]) => one - other || (a < b ? -1 : 1));
  return new Map(ranked.map(([, entry]) => entry));
}
