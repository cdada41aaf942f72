// The smaller parts of a task's work: environment, tracked things, budget, cleaning up.

import type { Action, Task, Track } from "../../model/task.ts";
import type { Node } from "../document/node.ts";
import { asList, child, spanOf, textOf } from "../document/node.ts";
import { fillVariables, readActions, type Variables } from "./actions.ts";
import type { Member } from "./declare.ts";
import type { FieldReader } from "./fields.ts";
import type { FlowSource, Loading } from "./scope.ts";

/** `track:`, each thing on its own. */
export function readTrack(reader: FieldReader, source: FlowSource): readonly Track[] {
  const node = reader.node("track");
  if (node === undefined) return NO_TRACKS;
  return [
    ...reader.texts(child(node, "env")).map((name) => ({ kind: "env", name }) as const),
    ...asList(child(node, "cmd")).map(
      (item) => ({ kind: "cmd", command: reader.command(item), shell: source.shell }) as const,
    ),
    ...reader.texts(child(node, "text")).map((text) => ({ kind: "text", text }) as const),
  ];
}

const NO_TRACKS: readonly Track[] = [];

/** The file's variables with the task's own over them. */
export function taskEnv(reader: FieldReader, source: FlowSource, loading: Loading): Variables {
  const own = reader.merged("env");
  if (own.size === 0) return { env: source.env };
  const allowed = [...own].filter(
    ([name, value]) => name.startsWith("x-") || !refuseSecret(name, value, loading),
  );
  return fillVariables(allowed, reader, source.env);
}

/** Reports a secret that is given a value in the file. */
export function refuseSecret(name: string, node: Node, { secrets, report }: Loading): boolean {
  if (!secrets.has(name)) return false;
  report.error(
    "conflict",
    spanOf(node),
    `\`${name}\` is a secret, so its value cannot be in the file`,
    { fix: "Set it in the environment of flow, or in a dotenv file that is not committed." },
  );
  return true;
}

const NO_VALUES: Readonly<Record<string, string>> = {};

/** The values of the `budget` parameters, as written. */
export function budgetValues(
  names: readonly string[],
  { scope }: Member,
): Readonly<Record<string, string>> {
  if (names.length === 0) return NO_VALUES;
  return Object.fromEntries(names.map((name) => [name, scope.paramText(name) ?? ""]));
}

/** A budget names parameters. */
export function checkBudget(names: readonly string[], member: Member, loading: Loading): void {
  for (const name of names) {
    if (member.scope.paramText(name) !== undefined) continue;
    const node = member.reader.node("budget");
    const value = member.scope.lookup(`params.${name}`);
    if (node !== undefined && value.kind === "problem") {
      loading.report.error(value.code, spanOf(node), value.message, { fix: value.fix });
    }
  }
}

/** `clean:`: the targets, nothing, or actions (with `targets` among them, both). */
export function readClean(
  reader: FieldReader,
  source: FlowSource,
  loading: Loading,
): Task["clean"] {
  const node = reader.node("clean");
  if (node === undefined) return CLEAN_TARGETS;
  if (node.kind === "scalar") return node.text === "none" ? { kind: "none" } : CLEAN_TARGETS;
  const items = asList(node);
  const commands = items.filter((item) => textOf(item) !== "targets");
  const actions: readonly Action[] = commands.flatMap((item) =>
    readActions(item.kind === "list" ? { ...item, items: [item] } : item, reader, source, loading),
  );
  return { kind: "actions", targets: commands.length < items.length, actions };
}

const CLEAN_TARGETS: Task["clean"] = { kind: "targets" };
