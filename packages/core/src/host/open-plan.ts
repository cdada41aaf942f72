// From what a person asks for to a plan: the cached one when nothing it was made from has changed,
// else the flow file is read. The parts that need YAML, schemas and the graph library are loaded
// only then.

import { join } from "node:path";
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { renderDiagnostics } from "../diagnostics/render.ts";
import type { SourceFile } from "../diagnostics/source.ts";
import { layout as layoutOf, STATE_DIRECTORY } from "../engine/layout.ts";
import { complete, type Frozen, type Plan, type PlanOptions } from "../graph/plan.ts";
import type { BackendChecks } from "../flowfile/load.ts";
import type { TaskGraph } from "../graph/build.ts";
import { err, ok, type Result } from "../model/result.ts";
import { nodeClock } from "../ports/node/clock.ts";
import { nodeFileSystem } from "../ports/node/file-system.ts";
import { loadPlan, type PlanInputs, savePlan } from "../trace/plan-cache.ts";

/** What names a project and its parameters. */
export interface ProjectRequest {
  /** Where the person stands; absolute. */
  readonly directory: string;
  /** Absolute; absent: looked for. */
  readonly file: string | undefined;
  readonly params: readonly { readonly name: string; readonly raw: string }[];
  /** Absolute; absent: none. */
  readonly paramsFile: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Checks the parts of the file that are a backend's own. */
  readonly checkBackend: BackendChecks | undefined;
}

export interface PlanRequest extends ProjectRequest {
  readonly selectors: readonly string[];
  /** Leave out what the selected tasks depend on. */
  readonly only: boolean;
  readonly options: PlanOptions;
  /** flow's version; a plan made by another one is made anew. */
  readonly version: string;
}

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
}

export interface OpenedPlan {
  readonly plan: Plan;
  readonly inputs: PlanInputs;
  /** Rendered, without colour. */
  readonly warnings: readonly string[];
  /** Keeps the plan for the next time; a no-op for one that came from there. Writes. */
  keep(): void;
}

/** Everything asked, as one text: the key of what is cached for it. */
export function requestText(request: Omit<PlanRequest, "options" | "checkBackend" | "env">): string {
  const { directory, file, params, paramsFile, selectors, only, version } = request;
  return JSON.stringify([1, version, file ?? directory, params, paramsFile, selectors, only]);
}

/** Reads the flow file and builds its graph. Never writes. */
export async function openGraph(
  request: ProjectRequest,
): Promise<Result<OpenedGraph, LoadFailure>> {
  const [{ loadProject }, { buildGraph }] = await Promise.all([
    import("../flowfile/load.ts"),
    import("../graph/build.ts"),
  ]);
  const { directory, file, params, paramsFile, env, checkBackend } = request;
  const loaded = loadProject({
    file,
    directory,
    params,
    paramsFile,
    env,
    fileSystem: nodeFileSystem,
    ...(checkBackend === undefined ? {} : { checkBackend }),
  });
  const { project, diagnostics, sources, inputs } = loaded;
  if (project === undefined) return err({ diagnostics, sources });
  const graph = buildGraph(project, nodeFileSystem);
  if (!graph.ok) return err({ diagnostics: [...diagnostics, ...graph.error], sources });
  return ok({ graph: graph.value, inputs, sources, diagnostics });
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
      return ok({ plan: complete(plan, request.options), inputs, warnings, keep: () => {} });
    }
  }
  const opened = await openGraph(request);
  if (!opened.ok) return opened;
  const { graph, inputs, sources, diagnostics } = opened.value;
  const [{ select }, { compilePlan }, { plainSources }, { indexProducts }] = await Promise.all([
    import("../graph/select.ts"),
    import("../graph/plan.ts"),
    import("../graph/missing.ts"),
    import("../graph/products.ts"),
  ]);
  const selection = select(graph, request.selectors, { only: request.only });
  if (!selection.ok) return err({ diagnostics: selection.error, sources });
  const plan = compilePlan(graph, selection.value, request.options);
  const warnings =
    diagnostics.length === 0 ? [] : [renderDiagnostics(diagnostics, sources, { color: false })];
  const { root } = graph.project;
  const needed = plainSources(graph.tasks, indexProducts(graph.project).products);
  const keep = (): void => keepPlan(root, key, plan, inputs, warnings, needed);
  return ok({ plan, inputs, warnings, keep });
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
  savePlan(cache, key, { plan, inputs, warnings }, sources, nodeFileSystem, () => nodeClock.wall());
}

/** `mnist.flow.yaml:31`; the file is read when somebody asks. */
export function positionIn(
  plan: Plan,
  span: { readonly file: number; readonly start: number },
): string | undefined {
  const path = plan.project.sources[span.file];
  if (path === undefined) return undefined;
  const bytes = nodeFileSystem.read(join(plan.project.root, path));
  if (bytes === undefined) return path;
  const before = Buffer.from(bytes).toString("utf8").slice(0, span.start);
  return `${path}:${before.split("\n").length}`;
}

/** Name of the folder that marks a project with state. */
export const stateDirectory: string = STATE_DIRECTORY;
