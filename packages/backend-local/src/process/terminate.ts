// Ending processes: the stop signal to the program itself, and the end of a whole tree, wherever its
// members have gone.

import { constants } from "node:os";
import type { Clock } from "@flow/core";
import type { ProcessInfo, ProcessTable } from "./table.ts";

/** The processes of one attempt, as far as they can be told from others. */
export interface Tree {
  /**
   * The shell around the actions; never signalled here, so that it can write the result. Absent when
   * its number may be another process's by now.
   */
  readonly leader: number | undefined;
  /** Whether the leader's session is the attempt's own. */
  readonly ownsSession: boolean;
  /** Value of the mark in the environment of its processes. */
  readonly mark: string;
}

/** What is left of an attempt whose leader is gone. */
export const markedTree = (mark: string): Tree => ({ leader: undefined, ownsSession: false, mark });

/** The marks of all living processes, as of a moment ago: for asking about many attempts at once. */
export class Marks {
  readonly #table: ProcessTable;
  readonly #clock: Pick<Clock, "now">;
  #at = Number.NEGATIVE_INFINITY;
  #found: ReadonlySet<string | undefined> = new Set();

  constructor(table: ProcessTable, clock: Pick<Clock, "now">) {
    this.#table = table;
    this.#clock = clock;
  }

  /** A process that is forked since carries the mark of its parent, which was there. */
  has(mark: string): boolean {
    if (this.#clock.now() - this.#at > MARKS_MS) {
      this.#at = this.#clock.now();
      const living = this.#table.list().filter((info) => !info.zombie);
      this.#found = new Set(living.map((info) => this.#table.mark(info.pid)));
    }
    return this.#found.has(mark);
  }
}

/** How long the marks that were found are good for. */
const MARKS_MS = 50;

const SHELLS: ReadonlySet<string> = new Set([
  "sh",
  "dash",
  "bash",
  "ash",
  "busybox",
  "ksh",
  "ksh93",
  "mksh",
  "zsh",
]);

/** Rounds of looking for processes that were forked while the others were killed. */
const MAX_ROUNDS = 200;

/** What was seen of an attempt's processes while they were asked to stop. */
export interface Asked {
  /** Those that have had the signal; they get it once. */
  readonly reached: Set<string>;
  /** Shells without a child, at the last look. */
  readonly idle: Set<string>;
}

/** Nobody was asked yet. */
export const newAsked = (): Asked => ({ reached: new Set(), idle: new Set() });

/**
 * Sends a signal to the programs below the leader that have not had it. A shell that would die of it,
 * and take the program's exit code along, is passed over for what it runs, and where that is nothing
 * until the next look: it may be about to leave. A copy of the leader that has its traps still would
 * miss the signal and waits for the next look too.
 */
export function signalPrograms(
  leader: number,
  signal: NodeJS.Signals,
  table: ProcessTable,
  asked: Asked,
): void {
  const number = constants.signals[signal];
  const children = childrenByParent(table.list());
  const wereIdle = new Set(asked.idle);
  asked.idle.clear();
  const visit = (info: ProcessInfo): void => {
    const name = `${info.pid} ${info.start}`;
    if (asked.reached.has(name)) return;
    if (table.handles(info.pid, number)) {
      if (info.forked && info.parent === leader) return;
    } else if (SHELLS.has(table.program(info.pid) ?? "")) {
      const below = children.get(info.pid) ?? [];
      for (const child of below) visit(child);
      if (below.length > 0) return;
      asked.idle.add(name);
      if (!wereIdle.has(name)) return;
    }
    asked.reached.add(name);
    send(info.pid, signal);
  };
  for (const child of children.get(leader) ?? []) visit(child);
}

/** Living processes of an attempt, without its leader: by descent, by session and by mark. */
function members(tree: Tree, table: ProcessTable): readonly ProcessInfo[] {
  const all = table.list();
  const children = childrenByParent(all);
  const found = new Map<number, ProcessInfo>();
  const queue = tree.leader === undefined ? [] : [...(children.get(tree.leader) ?? [])];
  for (const info of all)
    if ((tree.ownsSession && info.session === tree.leader) || table.mark(info.pid) === tree.mark)
      queue.push(info);
  for (const info of queue) {
    if (found.has(info.pid) || info.pid === tree.leader || info.pid === process.pid) continue;
    found.set(info.pid, info);
    queue.push(...(children.get(info.pid) ?? []));
  }
  return [...found.values()].filter((info) => !info.zombie);
}

/**
 * Kills an attempt's processes except its leader, again and again until none is found, because a
 * process may fork while it is looked for; once more after that, because one that is about to become
 * another program has no environment for a moment. Resolves to how many were killed.
 */
export async function killMembers(
  tree: Tree,
  table: ProcessTable,
  clock: Pick<Clock, "sleep">,
): Promise<number> {
  const killed = new Set<string>();
  let isSure = true;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const found = members(tree, table);
    if (found.length === 0 && isSure) break;
    isSure = found.length === 0;
    for (const info of found) {
      killed.add(`${info.pid} ${info.start}`);
      send(info.pid, "SIGKILL");
    }
    await clock.sleep(Math.min(1 + round, 20));
  }
  return killed.size;
}

/** Kills what carries one of these marks; resolves to the marks that were found. */
export function killMarked(marks: ReadonlySet<string>, table: ProcessTable): ReadonlySet<string> {
  const found = new Set<string>();
  for (const info of table.list()) {
    const mark = info.zombie ? undefined : table.mark(info.pid);
    if (mark === undefined || !marks.has(mark) || info.pid === process.pid) continue;
    found.add(mark);
    send(info.pid, "SIGKILL");
  }
  return found;
}

/** Sends a signal; a process that is gone or not ours is left alone. True when it was sent. */
export function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

function childrenByParent(all: readonly ProcessInfo[]): ReadonlyMap<number, ProcessInfo[]> {
  const children = new Map<number, ProcessInfo[]>();
  for (const info of all) {
    if (info.zombie) continue;
    const siblings = children.get(info.parent);
    if (siblings === undefined) children.set(info.parent, [info]);
    else siblings.push(info);
  }
  return children;
}
