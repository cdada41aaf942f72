// First pass over the tasks: names, matrices, members and their targets, so that the second pass can
// refer to any of them.

import type { Report } from "../../diagnostics/report.ts";
import { suggest } from "../../diagnostics/suggest.ts";
import type { TaskId, TaskKey } from "../../model/ids.ts";
import type { Target } from "../../model/task.ts";
import type { MapEntry, MapNode, Node, ScalarNode } from "../document/node.ts";
import { asList, child, entriesOf, isEmpty, spanOf, textOf } from "../document/node.ts";
import type { Combination, Matrix } from "../matrix.ts";
import { expandMatrix, noMatrix } from "../matrix.ts";
import { keyOf, memberId, slugOf, TASK_NAME } from "../names.ts";
import { expandSweep, type SweepPlace } from "../sweep/search.ts";
import { type Sweep, type SweepMember, unswept } from "../sweep/sweep.ts";
import type { Fields } from "./fields.ts";
import { FieldReader } from "./fields.ts";
import type { FlowSource, Loading } from "./scope.ts";
import { MemberScope } from "./scope.ts";
import { readTargets } from "./targets.ts";

/** A task as written. */
export interface TaskOutline {
  /** With namespace. */
  readonly name: string;
  readonly nameNode: ScalarNode;
  readonly source: FlowSource;
  readonly fields: Fields;
  readonly matrix: Matrix;
  /** The node whose `max_parallel` and `fail_fast` hold; undefined without a matrix. */
  readonly matrixNode: MapNode | undefined;
}

/** A task with its members; the axes of a sweep are among those of its matrix. */
export interface TaskTemplate extends TaskOutline {
  readonly members: readonly Member[];
}

/** One member, as far as the first pass knows it. */
export interface Member {
  readonly id: TaskId;
  readonly key: TaskKey;
  readonly slug: string;
  readonly combination: Combination;
  readonly scope: MemberScope;
  readonly reader: FieldReader;
  readonly targets: readonly Target[];
}

/** All tasks of one file, in its order. */
export function outlineTasks(source: FlowSource, loading: Loading): readonly TaskOutline[] {
  const defaults = child(source.map, "defaults");
  const matrices = new MatrixReader(source, loading);
  const outlines: TaskOutline[] = [];
  for (const [name, entry] of entriesOf(child(source.map, "tasks"))) {
    if (name.startsWith("x-")) continue;
    if (!TASK_NAME.test(name)) {
      loading.report.error(
        "bad-name",
        spanOf(entry.key),
        `\`${name}\` cannot be the name of a task`,
        {
          fix: "Use letters, digits, `_`, `.` and `-`, starting with a letter or `_`.",
        },
      );
      continue;
    }
    const fields: Fields = {
      own: entry.value.kind === "map" ? entry.value : undefined,
      defaults: defaults?.kind === "map" ? defaults : undefined,
    };
    const { matrix, node } = matrices.of(name, entry);
    outlines.push({
      name: source.namespace + name,
      nameNode: entry.key,
      source,
      fields,
      matrix,
      matrixNode: node,
    });
  }
  return outlines;
}

/** One task, every combination of its matrix with every one of the sweep. */
export function declareTask(outline: TaskOutline, sweep: Sweep, loading: Loading): TaskTemplate {
  const { name, nameNode, source, fields, matrix, matrixNode } = outline;
  const combinations = distinct(combinationsOf(matrix, sweep.members(outline)), outline, loading);
  const members = combinations.map((one) => declareMember(one, outline, loading));
  const own = sweep.axisNames(outline);
  return {
    name,
    nameNode,
    source,
    fields,
    matrix: own.length === 0 ? matrix : { ...matrix, axisNames: [...matrix.axisNames, ...own] },
    matrixNode,
    members,
  };
}

function declareMember(
  { combination, identity }: Identified,
  { name, source, fields }: TaskOutline,
  loading: Loading,
): Member {
  const id = memberId(name, combination.axes);
  const slug = slugOf(id);
  const scope = new MemberScope(source, combination, { id, template: name, slug }, loading);
  const reader = new FieldReader(fields, scope);
  scope.setBudget(reader.texts(reader.node("budget")));
  const targets = readTargets(reader, scope, source, loading);
  const key = keyOf(source.path, memberId(name, sortedByName(identity)));
  return { id, key, slug, combination, scope, reader, targets };
}

/** Without those that come to the same name, which are errors. */
function distinct(
  combinations: readonly Identified[],
  { name, nameNode }: TaskOutline,
  { report }: Loading,
): readonly Identified[] {
  if (combinations.length < 2) return combinations;
  const seen = new Set<TaskId>();
  return combinations.filter(({ combination }) => {
    const id = memberId(name, combination.axes);
    if (!seen.has(id)) {
      seen.add(id);
      return true;
    }
    const message = `two members of the matrix are both \`${id}\``;
    report.error("duplicate-task", spanOf(nameNode), message);
    return false;
  });
}

/** A combination with what keeps it apart on disk. */
interface Identified {
  readonly combination: Combination;
  /** Axes of the task's key; more than those of its name. */
  readonly identity: ReadonlyMap<string, string>;
}

/** Every member of the matrix with every one of the sweep. */
function combinationsOf(matrix: Matrix, rows: readonly SweepMember[]): readonly Identified[] {
  if (matrix === noMatrix && rows === unswept) return ALONE;
  return matrix.members.flatMap((member) =>
    rows.map((row) => ({
      combination: { ...member, axes: joined(member.axes, row.axes), params: row.params },
      identity: joined(member.axes, row.identity),
    })),
  );
}

const ALONE: readonly Identified[] = noMatrix.members.map((combination) => ({
  combination,
  identity: combination.axes,
}));

/** Expands matrices, following `each` to the task whose matrix is taken over. */
class MatrixReader {
  readonly #source: FlowSource;
  readonly #loading: Loading;
  readonly #known = new Map<string, { matrix: Matrix; node: MapNode | undefined }>();

  constructor(source: FlowSource, loading: Loading) {
    this.#source = source;
    this.#loading = loading;
  }

  of(
    name: string,
    entry: MapEntry,
    via: readonly string[] = [],
  ): { matrix: Matrix; node: MapNode | undefined } {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const own = entry.value;
    const hasOwn = MATRIX_KEYS.some((key) => child(own, key) !== undefined);
    const map = hasOwn ? own : child(this.#source.map, "defaults");
    if (map === undefined || (map === own && !hasOwn)) return NO_MATRIX;
    const node = child(map, "matrix");
    const each = child(map, "each");
    let result = NO_MATRIX;
    const sweep = child(map, "sweep");
    if (node?.kind === "map" || sweep?.kind === "map") {
      const { report, sources } = this.#loading;
      const filling = { lookup: this.#source.lookup, report, sources };
      const isMap = node?.kind === "map";
      const matrix = isMap ? expandMatrix(node, filling) : noMatrix;
      const trials =
        sweep?.kind === "map" ? expandSweep(sweep, filling, this.#place(name, own)) : noMatrix;
      result = {
        matrix: combine(matrix, trials, sweep ?? node ?? entry.value, report),
        node: isMap ? node : undefined,
      };
      if (each !== undefined) {
        report.error("conflict", spanOf(each), "`each` and `matrix` exclude each other", {
          related: [{ span: spanOf(node ?? sweep ?? each), message: "the matrix" }],
          fix: "Keep one of them.",
        });
      }
    } else if (each !== undefined && !isEmpty(each)) {
      result = this.#takeOver(textOf(each), each as ScalarNode, [...via, name]);
    }
    this.#known.set(name, result);
    return result;
  }

  #place(name: string, own: Node): SweepPlace {
    const { namespace, path, folder } = this.#source;
    const flag = child(own, "hidden");
    const hidden = flag?.kind === "scalar" && flag.value === true;
    return { template: namespace + name, file: path, folder, hidden, loading: this.#loading };
  }

  #takeOver(
    name: string,
    each: ScalarNode,
    via: readonly string[],
  ): { matrix: Matrix; node: MapNode | undefined } {
    const { report } = this.#loading;
    const tasks = child(this.#source.map, "tasks");
    const entry = tasks?.kind === "map" ? tasks.entries.get(name) : undefined;
    if (entry === undefined) {
      report.error("unknown-task", spanOf(each), `there is no task \`${name}\` in this file`, {
        fix: suggest(
          name,
          [...entriesOf(tasks)].map(([known]) => known),
          "This file has no tasks.",
        ),
      });
    } else if (via.includes(name)) {
      report.error(
        "cycle",
        spanOf(each),
        `\`each\` goes round in a circle: ${[...via, name].join(" → ")}`,
      );
    } else {
      return this.of(name, entry, via);
    }
    return { matrix: noMatrix, node: undefined };
  }
}

const MATRIX_KEYS = ["matrix", "each", "sweep"];
const NO_MATRIX: { matrix: Matrix; node: MapNode | undefined } = {
  matrix: noMatrix,
  node: undefined,
};

/** So that the same values are the same task, from a matrix, a sweep or the command line. */
const sortedByName = (entries: ReadonlyMap<string, string>): ReadonlyMap<string, string> =>
  entries.size < 2 ? entries : new Map([...entries].toSorted(([a], [b]) => (a < b ? -1 : 1)));

/** The entries of both; of a name in both, those of the second. */
const joined = (
  one: ReadonlyMap<string, string>,
  other: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> => (other.size === 0 ? one : new Map([...one, ...other]));

/** Every member of the matrix with every trial. */
function combine(matrix: Matrix, trials: Matrix, node: Node, report: Report): Matrix {
  const twice = trials.axisNames.find((name) => matrix.axisNames.includes(name));
  if (twice !== undefined) {
    report.error("duplicate-key", spanOf(node), `\`${twice}\` is an axis of the matrix already`);
  }
  const members = matrix.members.flatMap((one) =>
    trials.members.map((other) => ({
      axes: new Map([...one.axes, ...other.axes]),
      values: new Map([...one.values, ...other.values]),
      params: one.params,
    })),
  );
  return { axisNames: [...matrix.axisNames, ...trials.axisNames], members };
}

/** How many members may run at once, and whether one failure stops the others. */
export function matrixPolicy(template: TaskTemplate): {
  readonly maxParallel: number | undefined;
  readonly failFast: boolean;
} {
  const reader = template.members[0]?.reader;
  const failFast = child(template.matrixNode, "fail_fast");
  return {
    maxParallel: reader?.count(child(template.matrixNode, "max_parallel")),
    failFast: failFast?.kind === "scalar" && failFast.value === true,
  };
}

/** All names in a list-valued key of the file, such as `secrets:`. */
export const namesIn = (source: MapNode, key: string): readonly string[] =>
  asList(child(source, key)).map(textOf);
