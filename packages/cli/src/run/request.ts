// What an invocation asks of a project, shared by every verb that reads one.

import { dirname, resolve } from "node:path";
import type { GivenParam, PlanRequest, ProjectRequest } from "@flow/core";
import { findFlowFile, layout, nodeFileSystem } from "@flow/core/fresh";
import type { Invocation } from "../invocation.ts";
import type { Io } from "../io.ts";
import type { Rerun } from "../report/failure-block.ts";
import { VERSION } from "../version.ts";

/** Where the verb works: `-C`, else where the person stands. */
export const workingDirectory = (invocation: Invocation, io: Io): string =>
  resolve(io.cwd, invocation.value("dir") ?? ".");

/** `-f`, `-C`, `-p` and `--params-file`. A parameter without `=` is an error of usage, returned as text. */
export function projectRequest(
  invocation: Invocation,
  io: Io,
): { readonly request: ProjectRequest } | { readonly problem: string } {
  const directory = workingDirectory(invocation, io);
  const file = invocation.value("file");
  const paramsFile = invocation.value("params-file");
  const params: GivenParam[] = [];
  for (const text of invocation.values("param")) {
    const equals = text.indexOf("=");
    if (/^@./.test(text)) params.push({ rows: resolve(directory, text.slice(1)) });
    else if (equals < 1) return { problem: `-p takes NAME=VALUE or @FILE, not \`${text}\`` };
    else params.push({ name: text.slice(0, equals), raw: text.slice(equals + 1) });
  }
  params.push(...invocation.positionals.flatMap(paramsOf));
  return {
    request: {
      directory,
      file: file === undefined ? foundFile(directory) : resolve(directory, file),
      params,
      paramsFile: paramsFile === undefined ? undefined : resolve(directory, paramsFile),
      env: io.env,
      loadChecks: async (uses, file) => (await import("../backends.ts")).loadChecks(uses, file),
    },
  };
}

/** What a selector `train@lr=0.1,seed=1` says, should `lr` and `seed` be parameters. */
function paramsOf(selector: string): readonly GivenParam[] {
  const match = /^[+!]*([^@]+)@(.+?)\+?$/.exec(selector);
  if (match?.[1] === undefined || match[2] === undefined || /[*?]/.test(selector)) return [];
  const [, template, axes] = match;
  return axes.split(/(?<!\\),/).flatMap((pair) => {
    const equals = pair.indexOf("=");
    if (equals < 1) return [];
    return [{ template, axis: pair.slice(0, equals), value: decodeAxis(pair.slice(equals + 1)) }];
  });
}

function decodeAxis(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("\\,", ","));
  } catch {
    return text;
  }
}

/** A project request with the tasks that are asked for. */
export function planRequestOf(
  invocation: Invocation,
  io: Io,
): { readonly request: PlanRequest } | { readonly problem: string } {
  const asked = projectRequest(invocation, io);
  if ("problem" in asked) return asked;
  const backend = invocation.value("backend");
  const options = backend === undefined ? {} : { backend };
  const selectors = invocation.positionals;
  const only = invocation.has("only");
  return { request: { ...asked.request, selectors, only, options, version: VERSION } };
}

/** The flow file from where the person stands; undefined when there is none or several. */
function foundFile(directory: string): string | undefined {
  const found = findFlowFile(directory, nodeFileSystem);
  return found.kind === "found" ? found.file : undefined;
}

/**
 * The folder whose `.flow/` holds what is cached for this request; undefined when there is no file. A
 * `root:` is only guessed from the text, which costs less than reading it properly; what is found in
 * a wrong place fits no request.
 */
export function cacheRoot({ file }: ProjectRequest): string | undefined {
  if (file === undefined) return undefined;
  const folder = dirname(file);
  if (nodeFileSystem.stat(layout(folder).state) !== undefined) return folder;
  const text = textOf(file);
  const root = /^[ \t]*(["']?)root\1:[ \t]*(["']?)([^"'#\r\n]+?)\2[ \t]*,?[ \t]*(?:#.*)?$/m.exec(
    text,
  );
  return root?.[3] === undefined ? folder : resolve(folder, root[3]);
}

/** Empty for what cannot be read: whoever reads it properly says why. */
function textOf(file: string): string {
  try {
    return new TextDecoder().decode(nodeFileSystem.read(file));
  } catch {
    return "";
  }
}

/** How to run tasks of the same project again. `more`: what else made the run what it was. */
export function rerunIn(invocation: Invocation, more: readonly string[] = []): Rerun {
  const single = ["file", "dir", "params-file"].flatMap((name) => {
    const value = invocation.value(name);
    return value === undefined
      ? []
      : [name === "file" ? "-f" : name === "dir" ? "-C" : `--${name}`, value];
  });
  const params = invocation.values("param").flatMap((text) => ["-p", text]);
  return (task) => ["flow", "run", ...single, ...params, ...more, task ?? "--failed"];
}
