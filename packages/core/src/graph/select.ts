// Selectors: what a person asks for on the command line (names, globs, axes, tags, aliases, paths of
// targets, with `+` for neighbours and `!` for exceptions), resolved to tasks.

import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { nearest } from "../diagnostics/suggest.ts";
import type { Result } from "../model/result.ts";
import { err, ok } from "../model/result.ts";
import type { Task } from "../model/task.ts";
import { reachable } from "./adjacency.ts";
import type { TaskGraph } from "./build.ts";
import { compileGlob, isGlob } from "./glob.ts";
import { normalisePath } from "./paths.ts";

export interface SelectOptions {
  /** Leave out what the selected tasks depend on. */
  readonly only?: boolean;
  /** Where paths of targets start, relative to the root. @default the root itself */
  readonly directory?: string;
}

/** Tasks by index into the graph. */
export interface Selection {
  /** Everything to look at, in the graph's order. */
  readonly tasks: readonly number[];
  /** Those that were asked for themselves, in the graph's order. */
  readonly asked: readonly number[];
}

/**
 * Resolves selectors; none means the project's `default`, and without that every task that is not
 * hidden. `!SEL` takes away from what was asked for, never from what the rest depends on. Only
 * exceptions: from the default.
 */
export function select(
  graph: TaskGraph,
  selectors: readonly string[],
  options: SelectOptions = {},
): Result<Selection, readonly Diagnostic[]> {
  const directory = options.directory ?? "";
  const diagnostics: Diagnostic[] = [];
  const resolve = (selector: string, source = ""): readonly number[] => {
    const found = resolveSelector(graph, parseSelector(selector), directory);
    if (found.ok) return found.value;
    diagnostics.push({ ...found.error, message: source + found.error.message });
    return [];
  };
  const resolveDefault = (selector: string): readonly number[] =>
    resolve(selector, "`default:` in the flow file is wrong. ");
  const positive = selectors.filter((selector) => !selector.startsWith("!"));
  const asked = new Set(positive.flatMap((selector) => resolve(selector)));
  if (positive.length === 0) {
    for (const task of defaultTasks(graph, resolveDefault)) asked.add(task);
  }
  for (const selector of selectors) {
    if (!selector.startsWith("!")) continue;
    for (const task of resolve(selector.slice(1))) asked.delete(task);
  }
  if (diagnostics.length > 0) return err(diagnostics);
  const tasks = options.only === true ? asked : reachable(graph.dependencies, asked);
  return ok({ tasks: inOrder(graph, tasks), asked: inOrder(graph, asked) });
}

function defaultTasks(
  graph: TaskGraph,
  resolve: (selector: string) => readonly number[],
): readonly number[] {
  const { default: selectors } = graph.project;
  if (selectors.length > 0) {
    const taken = new Set(
      selectors.flatMap((text) => (text.startsWith("!") ? resolve(text.slice(1)) : [])),
    );
    return selectors
      .flatMap((text) => (text.startsWith("!") ? [] : resolve(text)))
      .filter((task) => !taken.has(task));
  }
  return graph.tasks.flatMap((task, index) => (task.hidden ? [] : [index]));
}

const inOrder = (graph: TaskGraph, tasks: ReadonlySet<number>): readonly number[] => [
  ...graph.order.filter((task) => tasks.has(task)),
];

interface Selector {
  readonly text: string;
  readonly upstream: boolean;
  readonly downstream: boolean;
}

function parseSelector(text: string): Selector {
  const upstream = text.startsWith("+");
  const rest = upstream ? text.slice(1) : text;
  const downstream = rest.endsWith("+");
  return { text: downstream ? rest.slice(0, -1) : rest, upstream, downstream };
}

function resolveSelector(
  graph: TaskGraph,
  selector: Selector,
  directory: string,
): Result<readonly number[], Diagnostic> {
  const named = findTasks(graph, selector.text, directory);
  if (named.length === 0) return err(noMatch(graph, selector.text));
  const found = new Set(named);
  if (selector.upstream) for (const task of reachable(graph.dependencies, named)) found.add(task);
  if (selector.downstream) for (const task of reachable(graph.dependents, named)) found.add(task);
  return ok([...found]);
}

/** A task's name goes before a path. */
function findTasks(graph: TaskGraph, text: string, directory: string): readonly number[] {
  if (text.startsWith("tag:")) {
    const wanted = textMatcher(text.slice("tag:".length));
    return filterTasks(graph, (task) => task.tags.some(wanted));
  }
  const byName = filterTasks(graph, nameMatcher(text));
  if (byName.length > 0) return byName;
  return findByAxes(graph, text) ?? findByPath(graph, text, directory);
}

function filterTasks(graph: TaskGraph, wanted: (task: Task) => boolean): readonly number[] {
  const found: number[] = [];
  graph.tasks.forEach((task, index) => {
    if (wanted(task)) found.push(index);
  });
  return found;
}

/** A hidden task is meant only by its exact name. */
function nameMatcher(text: string): (task: Task) => boolean {
  const isExact = (task: Task): boolean =>
    task.id === text || task.template === text || task.aliases.includes(text);
  if (!isGlob(text)) return isExact;
  const { matches } = compileGlob(text);
  return (task) =>
    isExact(task) ||
    (!task.hidden && (matches(task.id) || matches(task.template) || task.aliases.some(matches)));
}

function textMatcher(text: string): (candidate: string) => boolean {
  return isGlob(text) ? compileGlob(text).matches : (candidate) => candidate === text;
}

/** `name@axis=value,…`; undefined when the text has no such form. */
function findByAxes(graph: TaskGraph, text: string): readonly number[] | undefined {
  const wanted = parseAxes(text);
  if (wanted === undefined) return undefined;
  const isNamed = nameMatcher(wanted.name);
  return filterTasks(
    graph,
    (task) =>
      isNamed(task) &&
      wanted.axes.every(([axis, matches]) => {
        const value = task.axes[axis];
        return value !== undefined && matches(value);
      }),
  );
}

function parseAxes(text: string):
  | {
      readonly name: string;
      readonly axes: readonly (readonly [string, (value: string) => boolean])[];
    }
  | undefined {
  const at = text.indexOf("@");
  if (at <= 0) return undefined;
  const axes: (readonly [string, (value: string) => boolean])[] = [];
  for (const pair of text.slice(at + 1).split(/(?<!\\),/)) {
    const equals = pair.indexOf("=");
    if (equals <= 0) return undefined;
    axes.push([pair.slice(0, equals), valueMatcher(pair.slice(equals + 1))]);
  }
  return { name: text.slice(0, at), axes };
}

/** A value as written in the file, or as it stands in a member's name (percent-encoded). */
function valueMatcher(text: string): (value: string) => boolean {
  const plain = text.replaceAll("\\,", ",");
  const decoded = plain.replace(/(?:%[0-9A-Fa-f]{2})+/g, (encoded) => {
    try {
      return decodeURIComponent(encoded);
    } catch {
      return encoded;
    }
  });
  if (!isGlob(decoded)) return (value) => value === plain || value === decoded;
  // A value is one text, not a path: its slashes are no segments.
  const { matches } = compileGlob(decoded.replaceAll("/", "\0"));
  return (value) => value === decoded || matches(value.replaceAll("/", "\0"));
}

/** Makers of a path, of the directory around it, or of what lies below it. */
function findByPath(graph: TaskGraph, text: string, directory: string): readonly number[] {
  const { project, products } = graph;
  const inside = text.startsWith(`${project.root}/`)
    ? normalisePath(text.slice(project.root.length + 1))
    : undefined;
  const fromRoot = normalisePath(text);
  const fromHere = normalisePath(`${directory}/${text}`.replace(/^\//, ""));
  for (const path of inside === undefined ? [fromHere, fromRoot] : [inside]) {
    const found = isGlob(path) ? products.matching(compileGlob(path)) : products.at(path);
    if (found.length > 0 && path !== "") return found.map(({ task }) => task);
  }
  return [];
}

function noMatch(graph: TaskGraph, text: string): Diagnostic {
  const wanted = parseAxes(text);
  const members =
    wanted === undefined ? [] : graph.tasks.filter((task) => nameMatcher(wanted.name)(task));
  return {
    code: "no-match",
    severity: "error",
    message:
      members.length > 0
        ? `No member of \`${wanted?.name ?? ""}\` is \`${text}\`.`
        : `No task, tag or target is called \`${text}\`.`,
    span: undefined,
    related: [],
    fix: members.length > 0 ? describeAxes(members) : suggest(graph, text),
  };
}

const shownValues = 8;

function describeAxes(members: readonly Task[]): string {
  const values = new Map<string, Set<string>>();
  for (const member of members) {
    for (const [axis, value] of Object.entries(member.axes)) {
      const seen = values.get(axis) ?? new Set();
      values.set(axis, seen.add(value));
    }
  }
  if (values.size === 0) return "It has no axes.";
  const lists = [...values].map(([axis, seen]) => {
    const shown = [...seen].slice(0, shownValues).join(", ");
    return `${axis} is one of ${shown}${seen.size > shownValues ? ", …" : ""}`;
  });
  return `Its axes: ${lists.join("; ")}.`;
}

function suggest(graph: TaskGraph, text: string): string {
  const isTag = text.startsWith("tag:");
  const names = new Set<string>();
  for (const task of graph.tasks) {
    if (isTag) for (const tag of task.tags) names.add(`tag:${tag}`);
    else {
      names.add(task.template);
      for (const alias of task.aliases) names.add(alias);
    }
  }
  const guess =
    nearest(text, names) ?? (isTag ? undefined : nearest(text, graph.products.byPath.keys()));
  return guess === undefined ? "`flow list` shows what there is." : `Did you mean \`${guess}\`?`;
}
