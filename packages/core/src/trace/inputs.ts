// Looks at everything a task's result may depend on, as it is now: deps with their globs expanded,
// values other tasks saved, what is tracked.

import type { TaskId } from "../model/ids.ts";
import type { Dep, Shell, Task, ValueUse } from "../model/task.ts";
import { EVERY_DEP } from "../model/task.ts";
import type { FileSystem } from "../ports/file-system.ts";
import { choose } from "./choose.ts";
import { type Digester, unreadable } from "./digest.ts";
import { expandGlob } from "./expand.ts";
import { lookUp } from "./keys.ts";
import { unseen } from "./temporary.ts";
import type { DepState, InputProblem } from "./trace.ts";
import { absent } from "./trace.ts";

/** A command flow runs to judge freshness. */
export interface CheckCommand {
  readonly task: TaskId;
  readonly text: string;
  readonly shell: Shell;
  /** Relative to the root. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** How a check ended; `code` is absent when it could not be run or was killed. */
export interface CheckResult {
  readonly code: number | undefined;
  readonly stdout: string;
  /** What went wrong, as a sentence; "" when nothing did. */
  readonly message: string;
}

/** What looking at inputs needs of the world. */
export interface InputSources {
  readonly root: string;
  readonly fileSystem: FileSystem;
  readonly digester: Digester;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Path (relative to the root) of the values file of a task; undefined when it saves none. */
  readonly valuesFile: (task: TaskId) => string | undefined;
  readonly runCommand: (command: CheckCommand) => Promise<CheckResult>;
  /** Whether a path where nothing lies was removed after its last use. */
  readonly isUsedUp: (path: string) => boolean;
}

/** All deps of a task as they are now, in the order of the file. */
export async function readDeps(
  task: Task,
  known: ReadonlyMap<string, DepState>,
  sources: InputSources,
): Promise<{
  readonly deps: readonly DepState[];
  readonly expansions: Readonly<Record<string, readonly string[]>>;
  readonly problems: readonly InputProblem[];
}> {
  const deps: DepState[] = [];
  const expansions: Record<string, readonly string[]> = {};
  const hasGlob = task.deps.some(
    (dep) =>
      dep.kind === "glob" ||
      (dep.kind !== "keys" && (dep.candidate !== undefined || dep.isTrial === true)),
  );
  const problems: InputProblem[] = [];
  const chosen = choose(task.deps, sources, problems);
  for (const dep of chosen) {
    const paths = pathsOf(dep, sources);
    if ("message" in paths) {
      problems.push(paths);
      continue;
    }
    if (paths.length === 0 && !dep.optional && dep.kind === "glob")
      problems.push(noMatch(dep.pattern));
    const there: string[] = [];
    for (const path of paths) {
      const state = await readDep(dep, path, known, sources);
      if ("message" in state) problems.push(state);
      else {
        deps.push(state);
        if (state.digest !== absent) there.push(path);
      }
    }
    // Several deps may share a name: all members of a task, or a list.
    for (const name of [dep.name, hasGlob && dep.isInput !== true ? EVERY_DEP : undefined]) {
      if (name !== undefined) expansions[name] = [...(expansions[name] ?? []), ...there];
    }
  }
  return { deps, expansions, problems };
}

function pathsOf(
  dep: Dep,
  { root, fileSystem, digester }: InputSources,
): readonly string[] | InputProblem {
  if (dep.kind !== "glob") return [dep.path];
  const ignore = (path: string, name: string): boolean => digester.ignores(path, name);
  try {
    const { paths, directories } = expandGlob(dep.pattern, root, ignore, fileSystem);
    digester.noteDirectories(directories);
    return paths;
  } catch (error) {
    const { path = dep.pattern } = error as NodeJS.ErrnoException;
    return unreadable(path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path, error);
  }
}

const noMatch = (pattern: string): InputProblem => ({
  kind: "no-match",
  path: pattern,
  message: `Nothing matches \`${pattern}\`; create what it should match, or mark the dep \`optional: true\`.`,
});

/** Names a dep in a record: the same path may be looked at in two ways. */
export const depId = (state: Pick<DepState, "path" | "check" | "values">): string =>
  state.check === "content"
    ? state.path
    : `${state.path} (${state.check}${state.values === undefined ? "" : `: ${Object.keys(state.values).join(", ")}`})`;

async function readDep(
  dep: Dep,
  path: string,
  known: ReadonlyMap<string, DepState>,
  { digester, isUsedUp }: InputSources,
): Promise<DepState | InputProblem> {
  const check = dep.kind === "keys" ? "keys" : dep.kind === "glob" ? "content" : dep.check;
  const keys = dep.kind === "keys" ? [...dep.keys].sort() : [];
  const id = check === "keys" ? `${path} (keys: ${keys.join(", ")})` : depId({ path, check });
  const found = await digester.look(path, check, known.get(id), keys);
  if (found === undefined) {
    if (isUsedUp(path)) return known.get(id) ?? { path, check, digest: unseen, signature: "" };
    if (dep.optional) return { path, check, digest: absent, signature: absent };
    const message = `\`${path}\` does not exist.`;
    return { kind: "missing", path, message };
  }
  if ("message" in found) return found;
  const { digest, signature, values } = found;
  return { path, check, digest, signature, ...(values === undefined ? {} : { values }) };
}

/** Values of `uses`, read from what their tasks saved. */
export function readValues(
  task: Task,
  sources: InputSources,
): {
  readonly values: Readonly<Record<string, unknown>>;
  readonly problems: readonly InputProblem[];
} {
  const values: Record<string, unknown> = {};
  const problems: InputProblem[] = [];
  for (const use of task.uses) {
    const gathered: Record<string, unknown> = {};
    for (const from of use.from) {
      const value = readValue(from, use, sources);
      if (isProblem(value)) problems.push(value);
      else gathered[from] = value.value;
    }
    values[use.name] = use.gathered ? gathered : Object.values(gathered)[0];
  }
  return { values, problems };
}

const isProblem = (value: InputProblem | { readonly value: unknown }): value is InputProblem =>
  "message" in value;

function readValue(
  from: TaskId,
  use: ValueUse,
  { fileSystem, digester, valuesFile }: InputSources,
): InputProblem | { readonly value: unknown } {
  const path = valuesFile(from);
  const problem = (text: string): InputProblem => ({
    kind: "value",
    path: path ?? from,
    message: `Value \`${use.name}\` of \`${from}\` cannot be used: ${text}.`,
  });
  if (path === undefined) return problem(`\`${from}\` saves no values`);
  const full = digester.absolute(path);
  digester.noteFile(full);
  const content = fileSystem.read(full);
  if (content === undefined) return problem(`\`${path}\` does not exist`);
  try {
    const document = JSON.parse(new TextDecoder().decode(content)) as unknown;
    const value = use.key === undefined ? document : lookUp(document, use.key);
    return value === undefined ? problem(`\`${path}\` has no key \`${use.key ?? ""}\``) : { value };
  } catch {
    return problem(`\`${path}\` is not JSON`);
  }
}

/** Values of `track`, by the name they are shown under. */
export async function readTracked(
  task: Task,
  { env, runCommand }: InputSources,
): Promise<{
  readonly tracked: Readonly<Record<string, string>>;
  readonly problems: readonly InputProblem[];
}> {
  const tracked: Record<string, string> = {};
  const problems: InputProblem[] = [];
  for (const track of task.track) {
    if (track.kind === "env") tracked[`env ${track.name}`] = env[track.name] ?? "";
    else if (track.kind === "text") tracked[`text ${Object.keys(tracked).length}`] = track.text;
    else {
      const { command: text, shell } = track;
      const result = await runCommand({ task: task.id, text, shell, cwd: task.cwd, env: task.env });
      if (result.code === 0) tracked[`cmd ${text}`] = result.stdout;
      else {
        const how = result.message || `it exited with ${result.code ?? "a signal"}`;
        const message = `The tracked command \`${text}\` of \`${task.id}\` failed: ${how}.`;
        problems.push({ kind: "command", path: text, message });
      }
    }
  }
  return { tracked, problems };
}
