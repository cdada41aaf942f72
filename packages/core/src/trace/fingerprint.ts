// The hash of a task's recipe, part by part: what is run, not how often, where or with how much.
// Resources, retries, time limits, priority, backend and descriptions never enter, and budget
// parameters and secrets enter as the placeholders the loader put into the recipe.

import { createHash } from "node:crypto";
import type { Action, Task } from "../model/task.ts";
import type { Fingerprint, Recipe, RecipePart } from "./trace.ts";

const longestShown = 400;

/** SHA-256 of a text, in hex. */
export const sha256 = (data: string | Uint8Array): string =>
  createHash("sha256").update(data).digest("hex");

/** Half a SHA-256: enough to tell two texts of one project apart. */
export const shortHash = (text: string): string => sha256(text).slice(0, 32);

/** A text cut to what is worth showing; the cut part is told by its hash. */
export function shorten(text: string): string {
  if (text.length <= longestShown) return text;
  return `${text.slice(0, longestShown)}… (${sha256(text).slice(0, 12)})`;
}

/** Canonical JSON: keys in order, so that equal values have equal texts. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1)))
      : part,
  );
}

/** The texts that are hashed, one per part; adding a plain action changes only the first. */
function partTexts(
  task: Task,
  tracked: Readonly<Record<string, string>>,
): Readonly<Record<RecipePart, string>> {
  const { actions } = task;
  return {
    actions: canonical(actions.map(actionText)),
    env: canonical([task.env, exceptions(actions, ({ env }) => canonical(env), "{}")]),
    cwd: canonical([task.cwd, exceptions(actions, ({ cwd }) => cwd ?? task.cwd, task.cwd)]),
    shell: canonical([usualShell(actions), exceptions(actions, shellOf, usualShell(actions))]),
    container: canonical(task.container ?? ""),
    track: canonical(tracked),
  };
}

const shellOf = ({ kind, shell }: Action): string => (kind === "shell" ? shell : "");

const usualShell = (actions: readonly Action[]): string => actions[0]?.shell ?? "sh";

/** Position and value of the actions that have another value than the usual one. */
function exceptions(
  actions: readonly Action[],
  valueIn: (action: Action) => string,
  usual: string,
): readonly (readonly [number, string])[] {
  return actions.flatMap((action, index) => {
    const value = valueIn(action);
    return value === usual || value === "" ? [] : [[index, value] as const];
  });
}

const actionText = ({ kind, recipe, stdin }: Action): readonly string[] => [
  kind,
  recipe,
  stdin ?? "",
];

/** Hash of the whole recipe; `tracked` holds the values of `track:` as they are now. */
export function fingerprintDigest(task: Task, tracked: Readonly<Record<string, string>>): string {
  return shortHash(Object.values(partTexts(task, tracked)).join("\n"));
}

/** The recipe with a hash for each of its parts. */
export function fingerprint(task: Task, tracked: Readonly<Record<string, string>>): Fingerprint {
  const texts = partTexts(task, tracked);
  const recipe: Recipe = {
    actions: task.actions.map((action) => shorten(action.recipe)),
    env: Object.assign({}, ...task.actions.map(({ env }) => env), task.env) as Recipe["env"],
    cwd: task.cwd,
    shell: [...new Set(task.actions.map(({ shell }) => shell))].join(", "),
    container: task.container,
    track: Object.fromEntries(
      Object.entries(tracked).map(([name, value]) => [name, shorten(value)]),
    ),
  };
  return {
    digest: shortHash(Object.values(texts).join("\n")),
    parts: {
      actions: shortHash(texts.actions),
      env: shortHash(texts.env),
      cwd: shortHash(texts.cwd),
      shell: shortHash(texts.shell),
      container: shortHash(texts.container),
      track: shortHash(texts.track),
    },
    recipe,
  };
}
