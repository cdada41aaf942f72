// `flow clean [SEL…]`: removes what flow has on record as made by it, while it is still as it was
// made, inside the project; the tasks are forgotten. Everything else is listed and stays.

import { relative } from "node:path";
import {
  collectCode,
  currentClaims,
  formatBytes,
  nodeFileSystem,
  openState,
  type ProjectState,
  type Task,
  type TaskGraph,
} from "@flow/core";
import { runCleanActions } from "../clean/clean-actions.ts";
import { cleanElsewhere } from "../clean/elsewhere.ts";
import {
  type Inventory,
  type InventoryContext,
  innermostFirst,
  type Product,
  takeInventory,
} from "../clean/inventory.ts";
import { ProjectRoot } from "../clean/project-root.ts";
import { removeRecords, removeRuns } from "../clean/task-records.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Command, Invocation } from "../invocation.ts";
import type { Io } from "../io.ts";
import { type OpenedProject, openProject } from "../project.ts";
import { openForChange, saveChange } from "../record/change.ts";
import { sanitizeLine } from "../report/sanitize.ts";
import { tasks as counted } from "../report/summary.ts";

export const command: Command = async (invocation, io) => {
  const project = await openProject(invocation, io);
  if (!project.ok) return project.error;
  const { root } = project.value.graph.project;
  const isDry = invocation.has("dry-run");
  const opened = isDry ? { ok: true as const, value: openState(root) } : openForChange(root, io);
  if (!opened.ok) return opened.error;
  const job = plan(project.value, opened.value, invocation);
  const refusal = await confirm(job, invocation, io);
  if (refusal !== undefined) return refusal;
  return isDry ? EXIT.ok : carryOut(job, opened.value, project.value, invocation, io);
};

/** What is to be done, decided before anything is touched. */
interface CleanJob {
  readonly products: readonly Product[];
  /** Those of which nothing stays. */
  readonly forgotten: readonly Product[];
  readonly inventory: Inventory;
  /** Tasks that may still run; they are left alone. */
  readonly busy: readonly string[];
}

function plan(
  { graph, selection }: OpenedProject,
  state: ProjectState,
  invocation: Invocation,
): CleanJob {
  const { root } = graph.project;
  const all = products(graph, selection, state, invocation);
  const claimed = new Set(
    currentClaims(root)
      .all()
      .map(({ task }) => task),
  );
  const free = all.filter(({ key }) => !claimed.has(key));
  const context: InventoryContext = {
    project: root,
    root: new ProjectRoot(root),
    layout: state.layout,
    files: nodeFileSystem,
    force: invocation.has("force"),
    mustStay: (path) => whyItStays(path, graph, free),
  };
  const nothing: Inventory = { removals: [], kept: [], folders: [] };
  const parts = free.map((product) =>
    removesTargets(product) ? takeInventory(product, context) : nothing,
  );
  const isKept = (index: number): boolean =>
    parts[index]?.kept.some(({ isProduct }) => isProduct) ?? false;
  return {
    products: free,
    forgotten: free.filter(({ task }, index) => task?.clean.kind !== "none" && !isKept(index)),
    busy: all.filter(({ key }) => claimed.has(key)).map(nameOf),
    inventory: {
      removals: parts.flatMap(({ removals }) => removals),
      kept: parts.flatMap(({ kept }) => kept),
      folders: innermostFirst(parts.flatMap(({ folders }) => folders)),
    },
  };
}

/** The selected tasks (none selected: all of the file), and with `--stale` or `--all` those that are gone. */
function products(
  graph: TaskGraph,
  selection: OpenedProject["selection"],
  { traces }: ProjectState,
  invocation: Invocation,
): readonly Product[] {
  const isAll = invocation.positionals.length === 0 || invocation.has("all");
  const chosen = isAll
    ? graph.tasks.keys()
    : invocation.has("deps")
      ? selection.tasks
      : selection.asked;
  const present = [...chosen].flatMap((index) => graph.tasks[index] ?? []);
  const known = new Set(graph.tasks.map(({ key }) => key));
  const file = relative(graph.project.root, graph.project.file);
  const absent = traces
    .keys()
    .filter((key) => !known.has(key))
    .map((key): Product => ({ key, task: undefined, trace: traces.get(key) }))
    .filter(({ trace }) => trace?.file === file);
  const current = present.map(
    (task): Product => ({ key: task.key, task, trace: traces.get(task.key) }),
  );
  const { params } = graph.project;
  const isOf = (tasks: readonly Task[]): ((product: Product) => boolean) => {
    const plain = new Set(tasks.map(({ id }) => withoutParams(id, params)));
    return ({ trace }) => trace !== undefined && plain.has(withoutParams(trace.task, params));
  };
  const isCombination = isOf(graph.tasks);
  if (invocation.has("stale")) return absent.filter((product) => !isCombination(product));
  if (invocation.has("all")) return [...current, ...absent];
  // Who names values means those; else what tasks made with other values is theirs as well.
  const namesValues =
    invocation.values("param").length > 0 ||
    invocation.positionals.some((selector) => selector.includes("@"));
  if (namesValues) return current;
  const open = present.filter(
    ({ clean, protect }) => clean.kind === "targets" && (!protect || invocation.has("force")),
  );
  return [...current, ...absent.filter(isOf(open))];
}

/** The name of a task without the parameters that a sweep put into it. */
function withoutParams(id: string, params: Readonly<Record<string, string>>): string {
  const [template = "", axes] = id.split("@");
  const kept = axes?.split(",").filter((axis) => !Object.hasOwn(params, axis.split("=")[0] ?? ""));
  return kept === undefined || kept.length === 0 ? template : `${template}@${kept.join(",")}`;
}

const nameOf = ({ task, trace, key }: Product): string => task?.id ?? trace?.task ?? key;

const removesTargets = ({ task }: Product): boolean =>
  task === undefined ||
  task.clean.kind === "targets" ||
  (task.clean.kind === "actions" && task.clean.targets);

/** Flow files, state, what other tasks make or what is now a source. */
function whyItStays(
  path: string,
  { project, tasks, products: makers }: TaskGraph,
  cleaned: readonly Product[],
): string | undefined {
  if (path === ".flow" || path.startsWith(".flow/")) return "part of flow's own state";
  if (project.sources.includes(path)) return "a flow file";
  const keys = new Set(cleaned.map(({ key }) => key));
  const maker = makers.at(path).map((product) => tasks[product.task])[0];
  if (maker !== undefined) return keys.has(maker.key) ? undefined : `made by ${maker.id} now`;
  const user = tasks.find(({ deps }) =>
    deps.some((dep) => dep.kind !== "glob" && dep.path === path),
  );
  return user === undefined ? undefined : `a source of ${user.id} now`;
}

/** Says what goes and asks once; the exit code when it is not to be. */
async function confirm(
  { inventory, products: chosen, busy }: CleanJob,
  invocation: Invocation,
  io: Io,
): Promise<ExitCode | undefined> {
  const { removals, kept } = inventory;
  const isDry = invocation.has("dry-run");
  if (isDry && invocation.has("json")) io.stdout.write(`${JSON.stringify(inventory, null, 2)}\n`);
  else if (isDry) for (const { path } of removals) io.stdout.write(`${sanitizeLine(path)}\n`);
  for (const { path, why } of kept) {
    io.stderr.write(`kept ${sanitizeLine(path)}: ${sanitizeLine(why)}\n`);
  }
  for (const name of busy) io.stderr.write(`left alone ${name}: it may still be running\n`);
  const bytes = removals.reduce((sum, one) => sum + one.bytes, 0);
  const what = `${files(removals.length)} (${formatBytes(bytes)}) of ${counted(chosen.length)}`;
  if (isDry) {
    io.stderr.write(`would remove ${what}\n`);
    return EXIT.ok;
  }
  if (invocation.has("yes") || removals.length === 0) return undefined;
  const answer = await io.ask(`Remove ${what}? [y/N] `);
  if (answer === undefined) {
    io.stderr.write(`flow: this would remove ${what}; say -y to do it.\n`);
    return EXIT.usage;
  }
  return /^y(es)?$/i.test(answer.trim()) ? undefined : EXIT.ok;
}

async function carryOut(
  { products: chosen, forgotten, inventory }: CleanJob,
  state: ProjectState,
  { graph, secretValues }: OpenedProject,
  invocation: Invocation,
  io: Io,
): Promise<ExitCode> {
  const { project } = graph;
  const root = new ProjectRoot(project.root);
  const removed = inventory.removals.filter(({ path }) => root.removeFile(path));
  for (const folder of inventory.folders) root.removeEmptyFolder(folder);
  const env = { ...io.env, ...secretValues };
  const problems: string[] = [];
  for (const { task } of chosen) {
    const problem = await cleanByActions(task, project.root, env);
    if (problem !== undefined) problems.push(problem);
  }
  const keepRecords = invocation.has("keep-records");
  const known = forgotten.filter(({ trace }) => trace !== undefined);
  for (const { key, task } of forgotten) {
    removeRecords(key, task?.slug, state.layout, nodeFileSystem, keepRecords);
    state.traces.remove(key);
  }
  if (invocation.has("all")) {
    removeRuns(relative(project.root, project.file), state.layout, nodeFileSystem);
  }
  if (!keepRecords) collectCode(state.layout, nodeFileSystem);
  if (invocation.positionals.length === 0)
    problems.push(...(await cleanElsewhere(project, env, io)));
  const code = await saveChange(state, io);
  if (code !== EXIT.ok) return code;
  for (const problem of problems) io.stderr.write(`flow: ${problem}\n`);
  if (invocation.has("json")) {
    const report = { removed, kept: inventory.kept, forgotten: known.map(nameOf), problems };
    io.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  } else {
    const bytes = removed.reduce((sum, one) => sum + one.bytes, 0);
    io.stderr.write(
      `removed ${files(removed.length)} (${formatBytes(bytes)}), forgot ${counted(known.length)}\n`,
    );
  }
  return problems.length > 0 ? EXIT.failed : EXIT.ok;
}

function cleanByActions(
  task: Task | undefined,
  root: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  if (task === undefined || task.clean.kind !== "actions") return Promise.resolve(undefined);
  return runCleanActions(task, task.clean.actions, root, env);
}

const files = (count: number): string => (count === 1 ? "1 file" : `${count} files`);
