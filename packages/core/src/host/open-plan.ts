// From what a person asks for to a plan: the cached one when nothing it was made from has changed,
// else the flow file is read. The parts that need YAML, schemas and the graph library are loaded
// only then.

import { dirname, join } from "node:path";
import { unreturnedMetrics } from "../backend/unreturned.ts";
import type { BackendChecks } from "../flowfile/backends.ts";
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import type { KnownDocuments } from "../flowfile/read-files.ts";
import { renderDiagnostics } from "../diagnostics/render.ts";
import type { SourceFile } from "../diagnostics/source.ts";
import { layout as layoutOf } from "../engine/layout.ts";
import type { TaskGraph } from "../graph/build.ts";
import { complete, type Frozen, type Plan } from "../graph/plan.ts";
import type { Task } from "../model/task.ts";
import type { Project } from "../model/project.ts";
import { err, ok, type Result } from "../model/result.ts";
import { nodeClock } from "../ports/node/clock.ts";
import { nodeFileSystem } from "../ports/node/file-system.ts";
import { loadPlan, type PlanInputs, savePlan } from "../trace/plan-cache.ts";
import { type PlanRequest, type ProjectRequest, requestText, standingIn } from "./plan-request.ts";

export type { PlanRequest, ProjectRequest } from "./plan-request.ts";
export { requestText } from "./plan-request.ts";

/** Why there is no plan, with the sources its diagnostics point into. */
export interface LoadFailure {
  readonly diagnostics: readonly Diagnostic[];
  readonly sources: readonly SourceFile[];
}

export interface OpenedGraph {
  readonly graph: TaskGraph;
  readonly inputs: PlanInputs;
  readonly sources: readonly SourceFile[];
  /** Only warnings. */
  readonly diagnostics: readonly Diagnostic[];
  /** Values of secrets that dotenv files give; never part of anything written. */
  readonly secretValues: Readonly<Record<string, string>>;
}

export interface OpenedPlan {
  readonly plan: Plan;
  readonly inputs: PlanInputs;
  /** Rendered, without colour. */
  readonly warnings: readonly string[];
  readonly secretValues: Readonly<Record<string, string>>;
  /** Keeps the plan for the next time; a no-op for one that came from there. Writes. */
  keep(): void;
}

/** Reads the flow file and builds its graph; `backend` replaces each task's own. Never writes. */
export async function openGraph(
  request: ProjectRequest,
  backend?: string,
): Promise<Result<OpenedGraph, LoadFailure>> {
  const [{ loadProject }, { undeclaredBackends, unknownBackend }, { buildGraph }] =
    await Promise.all([
      import("../flowfile/load.ts"),
      import("../flowfile/backends.ts"),
      import("../graph/build.ts"),
    ]);
  const { directory, file, params, paramsFile, env } = request;
  const known: KnownDocuments = new Map();
  const wanted = { file, directory, params, paramsFile, env, fileSystem: nodeFileSystem, known };
  let loaded = loadProject(wanted);
  let checks: BackendChecks | undefined;
  const uses = loaded.project === undefined ? [] : usesToCheck(loaded.project, backend);
  if (loaded.project !== undefined && request.loadChecks !== undefined && uses.length > 0) {
    checks = await request.loadChecks(uses, loaded.project.file);
    loaded = loadProject({ ...wanted, checkBackend: checks });
  }
  const { project, diagnostics, sources, inputs, secretValues } = loaded;
  if (project === undefined) return err({ diagnostics, sources });
  const names = project.backends.map(({ name }) => name);
  const unknown = backend === undefined ? undefined : unknownBackend(backend, names);
  const refused: readonly Diagnostic[] =
    unknown === undefined
      ? [
          ...undeclaredBackends(undeclaredUses(project, backend), project.backends, checks),
          ...refusals(project, checks, backend),
        ]
      : [{ ...REFUSAL, code: "unknown-backend", ...unknown }];
  if (refused.length > 0) return err({ diagnostics: [...diagnostics, ...refused], sources });
  const graph = buildGraph(project, nodeFileSystem);
  if (!graph.ok) return err({ diagnostics: [...diagnostics, ...graph.error], sources });
  return ok({ graph: graph.value, inputs, sources, diagnostics, secretValues });
}

/** Types and packages of backends of which something is asked that not every backend can do. */
function usesToCheck(project: Project, backend: string | undefined): readonly string[] {
  const ofTasks = project.tasks
    .filter(asksMore)
    .map((task) => useOf(project, backend ?? task.backend));
  const undeclared = undeclaredUses(project, backend).map(([name]) => name);
  return [...new Set([...project.backends.map(({ use }) => use), ...undeclared, ...ofTasks])];
}

/** Backends other than this machine that are used by their bare names, with the first task that does. */
function undeclaredUses(
  { backends, tasks }: Project,
  backend: string | undefined,
): readonly (readonly [string, Task["span"] | undefined])[] {
  const first = new Map<string, Task["span"] | undefined>();
  if (backend !== undefined) first.set(backend, undefined);
  else {
    for (const task of tasks) {
      if (!first.has(task.backend)) first.set(task.backend, task.span);
    }
  }
  const known = new Set(["local", ...backends.map(({ name }) => name)]);
  return [...first].filter(([name]) => !known.has(name));
}

const useOf = ({ backends }: Project, name: string): string =>
  backends.find((declared) => declared.name === name)?.use ?? name;

/** More than a command with cpus, memory and time. */
function asksMore(task: Task): boolean {
  const { backendOptions, container, interactive, resources, mounts } = task;
  const { gpusMilli, gpuMemoryBytes, gpuModel, diskBytes, nodes, mpiProcesses } = resources;
  const special = [container, gpusMilli, gpuMemoryBytes, gpuModel, diskBytes, nodes, mpiProcesses];
  const blocks = [backendOptions, mounts];
  return (
    interactive ||
    unreturnedMetrics(task) !== undefined ||
    special.some((asked) => asked !== undefined) ||
    blocks.some((block) => Object.keys(block).length > 0)
  );
}

const REFUSAL = { severity: "error", span: undefined, related: [], fix: undefined } as const;

/** What backends cannot do that tasks ask of them; one error per template. */
function refusals(
  project: Project,
  checks: BackendChecks | undefined,
  backend: string | undefined,
): readonly Diagnostic[] {
  const said = new Set<string>();
  return project.tasks.flatMap((task): Diagnostic[] => {
    const name = backend ?? task.backend;
    const reason = asksMore(task) ? checks?.refuse?.(useOf(project, name), task) : undefined;
    if (reason === undefined || said.has(task.template)) return [];
    said.add(task.template);
    const message = `\`${task.template}\` ${reason}`;
    return [{ ...REFUSAL, code: "unsupported", message, span: task.span }];
  });
}

/** `cacheRoot`: the folder whose `.flow/` may hold the plan. Never writes; see `keep`. */
export async function openPlan(
  request: PlanRequest,
  cacheRoot: string | undefined,
): Promise<Result<OpenedPlan, LoadFailure>> {
  const key = requestText(request);
  if (cacheRoot !== undefined) {
    const cached = loadPlan(layoutOf(cacheRoot).cache, key, request.env, nodeFileSystem);
    if (cached !== undefined) {
      const { plan, inputs, warnings } = cached;
      return ok({
        plan: complete(plan, request.options),
        inputs,
        warnings,
        secretValues: {},
        keep: () => {},
      });
    }
  }
  const opened = await openGraph(request, request.options.backend);
  if (!opened.ok) return opened;
  const { graph, inputs, sources, diagnostics, secretValues } = opened.value;
  const [{ select }, { compilePlan }, { plainSources }, { indexProducts }] = await Promise.all([
    import("../graph/select.ts"),
    import("../graph/plan.ts"),
    import("../graph/missing.ts"),
    import("../graph/products.ts"),
  ]);
  const selection = select(graph, request.selectors, {
    only: request.only,
    directory: standingIn(graph.project.root, request.directory),
  });
  if (!selection.ok) return err({ diagnostics: selection.error, sources });
  const plan = compilePlan(graph, selection.value, request.options);
  const warnings =
    diagnostics.length === 0 ? [] : [renderDiagnostics(diagnostics, sources, { color: false })];
  const { root } = graph.project;
  const needed = plainSources(graph.tasks, indexProducts(graph.project).products);
  const hasSecrets = Object.keys(secretValues).length > 0;
  const keep = (): void => {
    if (!hasSecrets) keepPlan(root, key, plan, inputs, warnings, needed);
  };
  return ok({ plan, inputs, warnings, secretValues, keep });
}

function keepPlan(
  root: string,
  key: string,
  plan: Frozen,
  inputs: PlanInputs,
  warnings: readonly string[],
  needed: readonly string[],
): void {
  const { cache } = layoutOf(root);
  if (nodeFileSystem.stat(cache) === undefined) return;
  const sources = needed.map((path) => join(root, path));
  try {
    savePlan(cache, key, { plan, inputs, warnings }, sources, nodeFileSystem, () =>
      nodeClock.wall(),
    );
  } catch {
    // A cache that cannot be written is no failure: the next run reads the flow file again.
  }
}

/** `mnist.flow.yaml:31`; the file is read when somebody asks. */
export function positionIn(
  plan: Plan,
  span: { readonly file: number; readonly start: number },
): string | undefined {
  const path = plan.project.sources[span.file];
  if (path === undefined) return undefined;
  const { root, file } = plan.project;
  const folders = [root, dirname(file)];
  const bytes = folders
    .map((folder) => nodeFileSystem.read(join(folder, path)))
    .find((found) => found !== undefined);
  if (bytes === undefined) return path;
  const before = Buffer.from(bytes).toString("utf8").slice(0, span.start);
  return `${path}:${before.split("\n").length}`;
}
