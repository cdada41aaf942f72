// The folder that a project has on a cluster that does not see it: its name, how it is made and removed.

import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { type BackendContext, type CleanedUp, err, ok, type Result } from "@flow/core";
import { folderOf } from "../folder.ts";
import type { SlurmOptions } from "../options.ts";
import { type CommandResult, complaint, type Transport } from "../transport/transport.ts";

type Context = BackendContext<SlurmOptions>;

/** The file that remembers the folder's name. */
const noteOf = (context: Context): string => `${folderOf(context)}/place`;

/** Whether there may be anything on the cluster. */
export const hasPlace = (context: Context): boolean =>
  context.options.folder !== undefined && existsSync(noteOf(context));

const placeOf = (context: Context): string =>
  `${(context.options.folder ?? "").replace(/\/+$/, "")}/${readFileSync(noteOf(context), "utf8").trim()}`;

/** Runs a script with the place as its first argument. */
const inPlace = (place: string, script: string, transport: Transport): Promise<CommandResult> =>
  transport.run(
    ["sh", "-c", `case $1 in "~/"*) set -- "$HOME/\${1#??}" ;; esac\n${script}`, "sh", place],
    "",
  );

/**
 * The project's own folder below `folder:`, made; undefined without that option. Its name is drawn
 * once, so that equal projects of several machines do not meet there.
 */
export async function makePlace(
  context: Context,
  transport: Transport,
): Promise<Result<string | undefined, string>> {
  if (context.options.folder === undefined) return ok(undefined);
  const note = noteOf(context);
  if (!existsSync(note)) {
    mkdirSync(dirname(note), { recursive: true });
    const label = basename(context.root).replaceAll(/[^\w.-]/g, "_");
    writeFileSync(note, `${label}-${randomBytes(4).toString("hex")}\n`);
  }
  const place = placeOf(context);
  const made = await inPlace(place, 'mkdir -p -m 700 -- "$1" && cd -- "$1" && pwd -P', transport);
  const path = made.stdout.trim();
  if (made.code === 0 && path.startsWith("/")) return ok(path);
  return err(`the folder ${place} cannot be made on the cluster: ${complaint(made)}.`);
}

/** What a job has not brought home keeps the folder where it is. */
const REMOVE = `cd -- "$1" 2>/dev/null || exit 0
rmdir attempts 2>/dev/null
[ ! -e attempts ] || exit 3
cd .. && rm -rf -- "$1"`;

export async function removePlace(context: Context, transport: Transport): Promise<CleanedUp> {
  const place = placeOf(context);
  const where = context.options.host === undefined ? place : `${context.options.host}:${place}`;
  const result = await inPlace(place, REMOVE, transport);
  if (result.code === 0) {
    for (const each of ["place", "kept"])
      rmSync(`${folderOf(context)}/${each}`, { recursive: true, force: true });
    return { removed: [`folder ${where}`], problems: [] };
  }
  const why =
    result.code === 3
      ? "it holds what jobs have not brought home yet; run flow once more, or end them with `flow cancel`"
      : complaint(result);
  return { removed: [], problems: [`${where} stays: ${why}`] };
}
