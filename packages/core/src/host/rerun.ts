// A recorded task made ready to run once more, alone, in a folder that holds the code of then.

import { createHash } from "node:crypto";
import { dirname, isAbsolute, join } from "node:path";
import { buildAdjacency } from "../graph/adjacency.ts";
import { complete, type PlanProject } from "../graph/plan.ts";
import { taskId, taskKey } from "../model/ids.ts";
import type { Project } from "../model/project.ts";
import { err, ok, type Result } from "../model/result.ts";
import type { Task } from "../model/task.ts";
import { nodeFileSystem } from "../ports/node/file-system.ts";
import type { AttemptRecord } from "../record/attempt-record.ts";
import type { LoadFailure, OpenedPlan } from "./open-plan.ts";
import type { ProjectRequest } from "./plan-request.ts";

/** Of an attempt, all that is needed to run its task again. */
export type RecordedTask = Pick<
  AttemptRecord,
  "task" | "inputs" | "root" | "workspace" | "experiment"
>;

export interface RerunRequest {
  readonly record: RecordedTask;
  /** Sets it apart from the task of the flow file where both are on record in one project; "": not. */
  readonly prefix: string;
  /** Absolute; the code of then lies there. */
  readonly folder: string;
  /** To be changed; the flow file of then is read for it. */
  readonly params: ProjectRequest["params"];
  readonly env: ProjectRequest["env"];
}

/**
 * The plan of the one task, rooted in the folder. The error: the flow file of then says nothing
 * about the task with these parameters (a sentence), or cannot be read.
 */
export async function planRerun(
  request: RerunRequest,
): Promise<Result<OpenedPlan, LoadFailure | string>> {
  const { record, folder, params } = request;
  const file = join(folder, originOf(record.task));
  const isThere = nodeFileSystem.stat(file) !== undefined;
  const loaded = isThere ? await load(request, file) : undefined;
  const project = loaded?.project;
  if (params.length > 0 && project === undefined) {
    if (loaded !== undefined) return err(loaded);
    return err(`\`${record.task.id}\` comes from no flow file, so it has no parameters to set`);
  }
  const defined =
    params.length === 0 ? record.task : project?.tasks.find(({ id }) => id === nameOf(request));
  if (defined === undefined) {
    return err(`with these parameters the flow file of then has no task \`${record.task.id}\``);
  }
  const task = alone(defined, request);
  const plan = complete({
    project: projectFor(folder, file, project, record),
    tasks: [task],
    asked: [0],
    dependencies: buildAdjacency(1, [], []),
    orderOnly: new Uint8Array(0),
    valuesFiles: {},
    temporary: [],
  });
  const inputs = { files: [], env: {} };
  const secretValues = loaded?.secretValues ?? {};
  return ok({ plan, inputs, warnings: [], secretValues, keep: () => {} });
}

/** The flow file of then, with the parameters of then where others are to be set. */
async function load({ record, folder, params, env }: RerunRequest, file: string) {
  const { loadProject } = await import("../flowfile/load.ts");
  const [directory, paramsFile, fileSystem] = [folder, undefined, nodeFileSystem];
  const wanted = { file, directory, paramsFile, env, fileSystem };
  let plain = loadProject({ ...wanted, params: [] });
  if (linkLookedFor(plain.inputs.files, record.root, folder)) {
    plain = loadProject({ ...wanted, params: [] });
  }
  if (params.length === 0 || plain.project === undefined) return plain;
  const usual = plain.project.params;
  const then = Object.entries(record.task.params)
    .filter(([name, raw]) => Object.hasOwn(usual, name) && usual[name] !== raw)
    .map(([name, raw]) => ({ name, raw: raw.replaceAll(",", "\\,") }));
  return loadProject({ ...wanted, params: [...then, ...params] });
}

/** Links files that the flow file needs and that are never code, such as those of `dotenv:`. */
function linkLookedFor(
  files: readonly { readonly path: string; readonly digest: string | undefined }[],
  root: string,
  folder: string,
): boolean {
  const missing = files
    .filter(({ path, digest }) => digest === undefined && path.startsWith(`${folder}/`))
    .map(({ path }) => path.slice(folder.length + 1))
    .filter((path) => nodeFileSystem.stat(join(root, path)) !== undefined);
  for (const path of missing) {
    nodeFileSystem.makeDirectory(dirname(join(folder, path)));
    nodeFileSystem.link(join(folder, path), join(root, path));
  }
  return missing.length > 0;
}

/** Stands before the flow file of a task that was set apart: what it made is not that file's. */
const AGAIN = "rerun of ";

/** What the flow file of then calls the task. */
const nameOf = ({ prefix, record: { task } }: RerunRequest): string =>
  task.file.startsWith(AGAIN) ? task.id.slice(prefix.length) : task.id;

const originOf = ({ file }: Task): string =>
  file.startsWith(AGAIN) ? file.slice(AGAIN.length) : file;

/** Without ties to tasks that are not there; what those gave it was recorded. */
function alone(task: Task, { prefix, record: { inputs } }: RerunRequest): Task {
  const isApart = prefix !== "" && !task.file.startsWith(AGAIN);
  const id = isApart ? `${prefix}${task.id}` : task.id;
  const file = isApart ? `${AGAIN}${task.file}` : task.file;
  const used = Object.entries(inputs.values).map(([name, value]) => [
    `FLOW_USES_${name
      .replaceAll(".", "__")
      .replaceAll(/[^A-Za-z0-9_]/g, "_")
      .toUpperCase()}`,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  return {
    ...task,
    id: taskId(id),
    key: taskKey(createHash("sha256").update(`${file}\0${id}`).digest("hex").slice(0, 16)),
    template: isApart ? `${prefix}${task.template}` : task.template,
    file,
    slug: encodeURIComponent(id),
    aliases: [],
    deps: task.deps.map((dep) => ({ ...dep, from: undefined })),
    after: [],
    uses: [],
    env: { ...(Object.fromEntries(used) as Record<string, string>), ...task.env },
    when: undefined,
    require: [],
    always: true,
    frozen: false,
    fresh: undefined,
    maxParallel: undefined,
    pools: {},
  };
}

function projectFor(
  root: string,
  file: string,
  project: Project | undefined,
  { workspace, experiment }: RecordedTask,
): PlanProject {
  return {
    name: project?.name,
    description: undefined,
    root,
    file,
    sources: [],
    workspace,
    experiment,
    default: [],
    jobs: undefined,
    pools: {},
    backends: project?.backends ?? [],
    secrets: project?.secrets ?? [],
    compat: project?.compat ?? ["xt", "batchai"],
    ignore: project?.ignore ?? [],
    code: { include: [], omit: [] },
    params: project?.params ?? {},
  };
}

/** Links what the attempt read and the code does not hold to where it lies in the project now. */
export function linkInputs(
  { inputs, root }: Pick<AttemptRecord, "inputs" | "root">,
  folder: string,
): readonly string[] {
  const missing: string[] = [];
  for (const { path, digest } of inputs.deps) {
    const to = join(folder, path);
    if (isAbsolute(path) || nodeFileSystem.lstat(to) !== undefined) continue;
    const from = join(root, path);
    if (nodeFileSystem.stat(from) === undefined) {
      if (digest !== "absent") missing.push(path);
      continue;
    }
    nodeFileSystem.makeDirectory(dirname(to));
    nodeFileSystem.link(to, from);
  }
  return missing;
}
