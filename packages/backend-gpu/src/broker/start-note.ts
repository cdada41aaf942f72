// With what options a broker was started, for the one that follows it when it dies.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stateDirectory } from "./places.ts";

type Environment = Readonly<Record<string, string | undefined>>;

interface StartNote {
  readonly socket: string;
  readonly options: readonly string[];
}

const noteFile = (env: Environment): string => join(stateDirectory(env), "start.json");

/** Keeps the options of the broker that listens on `socket` until it ends as it should. */
export function noteStart(env: Environment, socket: string, options: readonly string[]): void {
  const note: StartNote = { socket, options };
  writeFileSync(noteFile(env), JSON.stringify(note), { mode: 0o600 });
}

/** The broker has ended as it should: the next one is started as whoever starts it wants. */
export function forgetStart(env: Environment): void {
  rmSync(noteFile(env), { force: true });
}

/** The options of a broker on `socket` that died; none where there was no such broker. */
export function notedStart(env: Environment, socket: string): readonly string[] {
  try {
    const note = JSON.parse(readFileSync(noteFile(env), "utf8")) as StartNote;
    return note.socket === socket ? note.options : [];
  } catch {
    return [];
  }
}
