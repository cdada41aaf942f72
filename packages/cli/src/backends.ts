// How the command line finds backends: the built-in ones by a literal table, others by the name of
// their package, looked for from the flow file's folder. Nothing is loaded that a project does not use.

import { createRequire } from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import {
  BACKEND_API_VERSION,
  type Backend,
  type BackendChecks,
  type BackendContext,
  type BackendPlugin,
  type BackendPorts,
  backendName,
  captureTree,
  err,
  type Log,
  layout,
  nodeClock,
  type OptionIssue,
  ok,
  type PlanProject,
  productsOf,
  type Result,
  silentLog,
  type Task,
} from "@flow/core";
import type { Io } from "./io.ts";

const BUILT_IN: Readonly<Record<string, () => Promise<{ readonly backend: BackendPlugin }>>> = {
  local: () => import("@flow/backend-local"),
  gpu: () => import("@flow/backend-gpu"),
  slurm: () => import("@flow/backend-slurm"),
  "azure-batch": () => import("@flow/backend-azure"),
};

/**
 * The plug-in for a `type:` or a `use:`. `folder` is the flow file's, absolute: packages are looked
 * for from there. Fails with a sentence that says what to do.
 */
export async function loadBackend(
  use: string,
  folder: string,
): Promise<Result<BackendPlugin, string>> {
  const builtIn = Object.hasOwn(BUILT_IN, use) ? BUILT_IN[use] : undefined;
  if (builtIn !== undefined) return ok((await builtIn()).backend);
  const module = await importPackage(use, folder);
  return module.ok ? checkPlugin(use, module.value) : module;
}

/**
 * Opens the backends with these names, or says why one of them cannot be used. What the tasks make is
 * not sent as code.
 */
export async function openBackends(
  names: readonly string[],
  project: PlanProject,
  log: Log,
  env: BackendPorts["env"],
  tasks: readonly Task[] = [],
): Promise<Result<ReadonlyMap<string, Backend>, string>> {
  const { root, code } = project;
  const captureCode = () =>
    captureTree({ root, code, products: productsOf(tasks) }).then(({ tree }) => tree);
  const place: Omit<BackendContext<unknown>, "name" | "options"> = {
    root: project.root,
    stateDirectory: layout(project.root).state,
    ports: { clock: nodeClock, log, env },
    captureCode,
  };
  const opened = new Map<string, Backend>();
  for (const name of names) {
    const declared = project.backends.find((each) => each.name === name);
    const plugin = await loadBackend(declared?.use ?? name, dirname(project.file));
    const backend = plugin.ok
      ? await openBackend(plugin.value, name, declared?.options ?? {}, place)
      : plugin;
    if (!backend.ok) {
      await closeBackends(opened);
      return err(unusable(name, backend.error));
    }
    opened.set(name, backend.value);
  }
  return ok(opened);
}

/** Why there is no such backend in the project, or not with these options; undefined when there is one. */
export async function missingBackend(
  name: string,
  { file, backends }: Pick<PlanProject, "file" | "backends">,
): Promise<string | undefined> {
  const declared = backends.find((each) => each.name === name);
  const plugin = await loadBackend(declared?.use ?? name, dirname(file));
  const options = plugin.ok ? plugin.value.parseOptions(declared?.options ?? {}) : plugin;
  if (options.ok) return undefined;
  const { error } = options;
  return unusable(name, typeof error === "string" ? error : issuesText(error));
}

const unusable = (name: string, why: string): string =>
  `the backend \`${name}\` cannot be used:${why.startsWith("\n") ? "" : " "}${why}`;

export async function closeBackends(backends: ReadonlyMap<string, Backend>): Promise<void> {
  for (const backend of backends.values()) await backend[Symbol.asyncDispose]();
}

async function openBackend(
  plugin: BackendPlugin,
  name: string,
  input: unknown,
  place: Omit<BackendContext<unknown>, "name" | "options">,
): Promise<Result<Backend, string>> {
  const options = plugin.parseOptions(input);
  if (!options.ok) return err(issuesText(options.error));
  return plugin.open({ name: backendName(name), options: options.value, ...place });
}

/** What a plug-in is asked with when nothing is to be run. */
export function placeOf(
  plugin: BackendPlugin,
  name: string,
  input: unknown,
  { root }: Pick<PlanProject, "root">,
  env: BackendPorts["env"],
  io: Pick<Io, "stderr">,
): Result<BackendContext<unknown>, string> {
  const options = plugin.parseOptions(input);
  if (!options.ok) return err(unusable(name, issuesText(options.error)));
  const log = { ...silentLog, warn: (text: string) => void io.stderr.write(`flow: ${text}\n`) };
  return ok({
    name: backendName(name),
    options: options.value,
    root,
    stateDirectory: layout(root).state,
    ports: { clock: nodeClock, log, env },
  });
}

/**
 * What these plug-ins say about their parts of the flow file `file`. One that cannot be loaded
 * objects to being named.
 */
export async function loadChecks(uses: readonly string[], file: string): Promise<BackendChecks> {
  const plugins = new Map<string, Result<BackendPlugin, string>>();
  for (const use of uses) plugins.set(use, await loadBackend(use, dirname(file)));
  const check = (
    use: string,
    parse: (plugin: BackendPlugin) => Result<unknown, readonly OptionIssue[]>,
  ): readonly OptionIssue[] => {
    const plugin = plugins.get(use);
    if (plugin === undefined) return [];
    if (!plugin.ok) return [{ path: [], message: plugin.error }];
    const parsed = parse(plugin.value);
    return parsed.ok ? [] : parsed.error;
  };
  return {
    options: (use, options) => check(use, (plugin) => plugin.parseOptions(options)),
    taskOptions: (use, options) => check(use, (plugin) => plugin.parseTaskOptions(options)),
    refuse: (use, task) => {
      const plugin = plugins.get(use);
      return plugin?.ok === true ? plugin.value.refuse?.(task) : undefined;
    },
  };
}

async function importPackage(name: string, folder: string): Promise<Result<unknown, string>> {
  let file: string;
  try {
    file = createRequire(`${folder}/flow.yaml`).resolve(name);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "MODULE_NOT_FOUND") {
      return err(
        `it is none of ${Object.keys(BUILT_IN).join(", ")}, and there is no package \`${name}\` to be found from ${folder}; run npm install there.`,
      );
    }
    if (code === "ERR_PACKAGE_PATH_NOT_EXPORTED") {
      return err(`the \`exports\` of the package \`${name}\` need a \`default\` condition.`);
    }
    return err(`the package \`${name}\` cannot be found: ${message}`);
  }
  try {
    return ok(await import(pathToFileURL(file).href));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return err(`the package \`${name}\` (${dirname(file)}) failed to load: ${reason}`);
  }
}

function checkPlugin(name: string, module: unknown): Result<BackendPlugin, string> {
  const { backend } = (module ?? {}) as { readonly backend?: unknown };
  if (!isObject(backend) || typeof backend["apiVersion"] !== "number") {
    return err(
      `the package \`${name}\` is no backend: it exports no \`backend\` made with defineBackend().`,
    );
  }
  const found = backend["apiVersion"];
  if (found !== BACKEND_API_VERSION) {
    const newer = found > BACKEND_API_VERSION ? "flow" : "the package";
    return err(
      `the package \`${name}\` speaks version ${found} of the backend interface, this flow speaks version ${BACKEND_API_VERSION}; update ${newer}.`,
    );
  }
  const missing = ["parseOptions", "parseTaskOptions", "open"].filter(
    (method) => typeof backend[method] !== "function",
  );
  if (missing.length > 0) {
    return err(`the backend of the package \`${name}\` lacks ${missing.join(", ")}().`);
  }
  return ok(backend as unknown as BackendPlugin);
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;

const issueText = ({ path, message }: OptionIssue): string =>
  path.length === 0 ? message : `${path.join(".")}: ${message}`;

/** One issue as a sentence, several as lines of their own. */
const issuesText = (issues: readonly OptionIssue[]): string =>
  issues.length === 1
    ? issues.map(issueText).join("")
    : issues.map((issue) => `\n  ${issueText(issue)}`).join("");
