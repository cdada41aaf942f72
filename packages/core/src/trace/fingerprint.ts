// The hash of a task's recipe, part by part: what is run, not how often, where or with how much.
// Resources, retries, time limits, priority, backend and descriptions never enter, and budget
// parameters and secrets enter as the placeholders the loader put into the recipe.

import { hash } from "node:crypto";
import type { Action, Task } from "../model/task.ts";
import type { Fingerprint, Recipe, RecipePart } from "./trace.ts";

const longestShown = 400;

/** SHA-256 of a text, in hex. */
export const sha256 = (data: string | Uint8Array): string => hash("sha256", data, "hex");

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
  const { actions, cwd } = task;
  const usual = usualShell(actions);
  const list = (values: readonly unknown[]): string => JSON.stringify(values);
  return {
    actions: list(actions.map(actionText)),
    env: list([
      inOrder(envOf(task)),
      exceptions(actions, (action) => list(inOrder(envOf(action))), "[]"),
    ]),
    cwd: list([cwd, exceptions(actions, (action) => action.cwd ?? cwd, cwd)]),
    shell: list([usual, exceptions(actions, shellOf, usual)]),
    container: list([task.container ?? ""]),
    track: list(inOrder(tracked)),
  };
}

const envOf = ({ env, envRecipe }: Pick<Task, "env" | "envRecipe">): Task["env"] =>
  envRecipe === undefined ? env : { ...env, ...envRecipe };

const inOrder = (record: Readonly<Record<string, string>>): readonly (readonly string[])[] =>
  Object.entries(record).sort(([one], [other]) => (one < other ? -1 : 1));

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

/** A short text is its own hash. */
const partHash = (text: string): string => (text.length <= 32 ? text : shortHash(text));

/** Hash of the whole recipe; `tracked` holds the values of `track:` as they are now. */
export function fingerprintDigest(task: Task, tracked: Readonly<Record<string, string>>): string {
  return shortHash(Object.values(partTexts(task, tracked)).join("\n"));
}

/** The recipe with a hash for each of its parts. */
export function fingerprint(task: Task, tracked: Readonly<Record<string, string>>): Fingerprint {
  const texts = partTexts(task, tracked);
  const recipe: Recipe = {
    actions: task.actions.map((action) => shorten(action.recipe)),
    env: Object.assign({}, ...task.actions.map(envOf), envOf(task)) as Recipe["env"],
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
      actions: partHash(texts.actions),
      env: partHash(texts.env),
      cwd: partHash(texts.cwd),
      shell: partHash(texts.shell),
      container: partHash(texts.container),
      track: partHash(texts.track),
    },
    recipe,
  };
}
