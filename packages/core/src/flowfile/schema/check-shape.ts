// Checks a document against the schema and says what is wrong in the words of the flow file: which
// key, what it must be, what is there, with the place of the offending node.

import type * as z from "zod";
import type { Report } from "../../diagnostics/report.ts";
import { nearest } from "../../diagnostics/suggest.ts";
import type { Span } from "../../model/task.ts";
import type { MapNode, Node } from "../document/node.ts";
import { child, describe, entriesOf, isEmpty, spanOf, toValue } from "../document/node.ts";
import { explainEaten, quoteYaml } from "../document/yaml-error.ts";
import { acceptsOf } from "./accepts.ts";
import { fileSchema } from "./file-schema.ts";
import { keysAt } from "./known-keys.ts";
import { taskSchema } from "./task-schema.ts";

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/**
 * Reports everything in `root` that does not have the shape of a flow file. Tasks are checked one by
 * one, and the schema is only asked about those that are not plainly right.
 */
export function checkShape(root: MapNode, text: string, report: Report): void {
  const declared = new Set([...entriesOf(child(root, "backends"))].map(([name]) => name));
  const context: Context = { root, text, report, declared };
  const tasks = child(root, "tasks");
  const top: Record<string, unknown> = {};
  for (const [key, { value }] of root.entries) {
    top[key] = value === tasks && tasks.kind === "map" ? {} : toValue(value);
  }
  explainAll(fileSchema.safeParse(top), [], context);
  for (const [name, { value }] of entriesOf(tasks)) {
    if (name.startsWith("x-") || isTask(value)) continue;
    explainAll(taskOrNothing.safeParse(toValue(value)), ["tasks", name], context);
  }
}

const taskOrNothing = taskSchema.nullable();

const isTask = acceptsOf(taskOrNothing);

function explainAll(result: z.ZodSafeParseResult<unknown>, prefix: Path, context: Context): void {
  for (const issue of result.error?.issues ?? []) explain(issue, prefix, context);
}

interface Context {
  readonly root: Node;
  readonly text: string;
  readonly report: Report;
  /** Names under `backends:`, which are also task keys. */
  readonly declared: ReadonlySet<string>;
}

function explain(issue: Issue, prefix: Path, context: Context): void {
  const path = [...prefix, ...issue.path];
  if (issue.code === "invalid_union") explainUnion(issue, path, context);
  else if (issue.code === "unrecognized_keys") explainKeys(issue.keys, path, context);
  else if (issue.code === "invalid_key") explainKey(issue, path, context);
  else explainValue(issue, path, context);
}

/** A key of a free map that cannot be one. */
function explainKey(issue: z.core.$ZodIssueInvalidKey, path: Path, context: Context): void {
  const parent = locate(context.root, path.slice(0, -1));
  const name = String(path.at(-1));
  const key = parent?.kind === "map" ? parent.entries.get(name)?.key : undefined;
  const why = issue.issues[0]?.message ?? "cannot be a key";
  context.report.error("bad-name", key && spanOf(key), `\`${name}\` ${why}`, {
    fix: "Use letters, digits and `_`, starting with a letter.",
  });
}

/** Chooses the branch that was meant: the one whose type fits, then the one with least to object. */
function explainUnion(issue: z.core.$ZodIssueInvalidUnion, path: Path, context: Context): void {
  const fitting = issue.errors.filter((branch) => !branch.some(isWrongType));
  if (fitting.length === 0) {
    wrongType(
      issue.errors.flatMap((branch) => branch.flatMap(expectations)),
      path,
      context,
    );
    return;
  }
  const best = fitting.reduce((a, b) => (weigh(b) < weigh(a) ? b : a));
  for (const inner of best) explain(inner, path, context);
}

const isWrongType = (issue: Issue): boolean =>
  issue.path.length === 0 &&
  (issue.code === "invalid_type" ||
    (issue.code === "invalid_union" && issue.errors.every((branch) => branch.some(isWrongType))));

const weigh = (branch: readonly Issue[]): number =>
  branch.reduce((sum, issue) => sum + 1 + (issue.path.length === 0 ? 4 : 0), 0);

function expectations(issue: Issue): readonly string[] {
  if (issue.path.length > 0) return [];
  if (issue.code === "invalid_union") return issue.errors.flat().flatMap(expectations);
  return issue.code === "invalid_type" ? [typeName(issue.expected)] : [];
}

const TYPE_NAMES = new Map([
  ["string", "text"],
  ["int", "a whole number"],
  ["number", "a number"],
  ["boolean", "`true` or `false`"],
  ["array", "a list"],
  ["object", "a map"],
  ["record", "a map"],
  ["null", "nothing"],
]);

const typeName = (type: string): string => TYPE_NAMES.get(type) ?? type;

function explainKeys(keys: readonly string[], path: Path, context: Context): void {
  const node = locate(context.root, path);
  if (node?.kind !== "map") return;
  const isTask = path[0] === "defaults" || path[0] === "tasks";
  const wrong = keys.filter(
    (key) => !key.startsWith("x-") && !(isTask && context.declared.has(key)),
  );
  if (wrong.length > 0 && isAction(path) && wrong.some((key) => /[\s"']/.test(key))) {
    const line = context.text.slice(node.start, node.end).trim();
    context.report.error(
      "action-is-map",
      spanOf(node),
      context.text.charAt(node.start) === "{"
        ? "YAML reads this command as a map, because of the leading `{`"
        : "YAML reads this command as a map, because of the colon followed by a space",
      { fix: `Quote the whole command: - ${quoteYaml(line)}` },
    );
    return;
  }
  const known = keysAt(path);
  for (const key of wrong) {
    const entry = node.entries.get(key);
    if (entry === undefined) continue;
    const where = path.length === 0 ? "" : ` in ${show(path)}`;
    context.report.error("unknown-key", spanOf(entry.key), `unknown key \`${key}\`${where}`, {
      fix: suggestKey(key, known, path),
    });
  }
}

const isAction = (path: Path): boolean =>
  path.some((part) => part === "actions" || part === "finally" || part === "clean");

const COMMANDS = "The commands of a task go under `actions:`.";
const READ = "What a task reads goes under `deps:`, tasks that only come before it under `after:`.";
const MADE = "What a task makes goes under `targets:`.";

/** What other tools call the keys of a task. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ...["cmd", "cmds", "command", "commands", "exec", "run", "script", "steps"].map(
    (key) => [key, COMMANDS] as const,
  ),
  ...["dependencies", "depends", "depends_on", "inputs", "needs", "task_dep"].map(
    (key) => [key, READ] as const,
  ),
  ...["artifacts", "creates", "outs", "produces"].map((key) => [key, MADE] as const),
  ["foreach", "A task per value is made with `matrix:`."],
  ["image", "The image of a container goes under `container:`."],
]);

function suggestKey(key: string, known: readonly string[], path: Path): string | undefined {
  const elsewhere = isTaskPath(path) ? ELSEWHERE.get(key) : undefined;
  if (elsewhere !== undefined) return elsewhere;
  const near = nearest(key, known);
  if (near !== undefined) return `Did you mean \`${near}\`?`;
  const isTask = isTaskPath(path);
  if (isTask && keysAt([...path, "resources"]).includes(key)) {
    return `It belongs under \`resources:\`.`;
  }
  if (isTask && keysAt([]).includes(key)) return "It belongs at the top level of the file.";
  if (path.length === 0 && keysAt(["tasks", "x"]).includes(key)) {
    return "It is a key of tasks; under `defaults:` it applies to all of them.";
  }
  return known.length === 0 || known.length > 12 ? undefined : `Known keys: ${known.join(", ")}.`;
}

const isTaskPath = (path: Path): boolean => path.length === 2 && path[0] === "tasks";

function explainValue(issue: Issue, path: Path, context: Context): void {
  const node = locate(context.root, path);
  if (issue.code === "invalid_type" && node === undefined) {
    const parent = locate(context.root, path.slice(0, -1));
    const key = String(path.at(-1));
    context.report.error(
      "missing-key",
      parent && spanOf(parent),
      `${show(path.slice(0, -1))} needs the key \`${key}\``,
    );
  } else if (issue.code === "invalid_type") {
    wrongType([typeName(issue.expected)], path, context);
  } else if (issue.code === "invalid_value") {
    const values = issue.values.map((value) => `\`${String(value)}\``);
    const text = node?.kind === "scalar" ? node.text : "";
    const near = text.length < 2 ? undefined : nearest(text, issue.values.map(String));
    badValue(`must be ${orList(values)}`, node, path, context, near && `Did you mean \`${near}\`?`);
  } else if (issue.code === "too_small") {
    const least = issue.inclusive === false ? `more than` : `at least`;
    badValue(`must be ${least} ${issue.minimum}`, node, path, context);
  } else if (issue.code === "too_big") {
    badValue(`must be at most ${issue.maximum}`, node, path, context);
  } else {
    badValue(issue.message, node, path, context);
  }
}

function badValue(
  rule: string,
  node: Node | undefined,
  path: Path,
  context: Context,
  fix?: string,
): void {
  const found = node === undefined ? "" : `, found ${describe(node)}`;
  context.report.error("bad-value", node && spanOf(node), `${show(path)} ${rule}${found}`, { fix });
}

function wrongType(types: readonly string[], path: Path, context: Context): void {
  const node = locate(context.root, path);
  if (node !== undefined && isEmpty(node) && explainEaten(node, context.text, context.report))
    return;
  // In the order of the table, however the schema tries them.
  const expected = [...new Set(TYPE_NAMES.values())].filter((name) => types.includes(name));
  const found = node === undefined ? "nothing" : describe(node);
  context.report.error(
    "wrong-type",
    node && placeOf(node, path, context.root),
    `${show(path)} must be ${orList(expected)}, found ${found}`,
    { fix: fixTask(path, node) ?? fixType(expected, node) },
  );
}

/** An empty value is shown at its key, which is what can be seen. */
function placeOf(node: Node, path: Path, root: Node): Span {
  if (node.start < node.end) return spanOf(node);
  const parent = locate(root, path.slice(0, -1));
  const key = parent?.kind === "map" ? parent.entries.get(String(path.at(-1)))?.key : undefined;
  return spanOf(key ?? node);
}

/** Tasks as other tools write them: a list of them, or nothing but their commands. */
function fixTask(path: Path, node: Node | undefined): string | undefined {
  if (path.length === 1 && path[0] === "tasks" && node?.kind === "list")
    return "Write each task under its name: `NAME: { actions: [...] }`.";
  const isCommands = node?.kind === "list" || (node?.kind === "scalar" && node.value !== null);
  return isTaskPath(path) && isCommands ? COMMANDS : undefined;
}

function fixType(expected: readonly string[], node: Node | undefined): string | undefined {
  if (node?.kind !== "scalar") return undefined;
  if (node.value === null) return "Give it a value, or remove the key.";
  if (expected.includes("text") && typeof node.value !== "string")
    return `Quote it: "${node.text}"`;
  if (expected.includes("`true` or `false`") && /^(?:yes|no|on|off)$/i.test(node.text)) {
    const meant = /^(?:yes|on)$/i.test(node.text) ? "true" : "false";
    return `YAML 1.2 reads that as text; write ${meant}.`;
  }
  return undefined;
}

function locate(root: Node, path: Path): Node | undefined {
  let node: Node | undefined = root;
  for (const part of path) {
    if (node?.kind === "list") node = node.items[Number(part)];
    else node = child(node, String(part));
  }
  return node;
}

/** `tasks.train.deps[1]` in backquotes; the file itself for the empty path. */
function show(path: Path): string {
  if (path.length === 0) return "the flow file";
  const text = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`));
  return `\`${text.join("").slice(1)}\``;
}

function orList(words: readonly string[]): string {
  if (words.length <= 1) return words[0] ?? "something else";
  return `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
