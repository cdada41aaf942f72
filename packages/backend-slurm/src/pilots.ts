// Attempts too short to be jobs of their own: they wait as files in a queue on the shared file system,
// and a few jobs, the pilots, take one after another. What a pilot has not taken when it ends stays in
// the queue, and new pilots are submitted for it.

import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type Clock, formatDuration } from "@flow/core";
import {
  createFile,
  enlist,
  makeIncarnation,
  type Membership,
  publish,
  readText,
} from "./attempt/files.ts";
import {
  type Evidence,
  judge,
  type Queued,
  queued,
  SETTLE_MS,
  type Verdict,
} from "./attempt/judge.ts";
import { complaint, type Transport } from "./transport/transport.ts";
import type { Queue, Rows } from "./queue.ts";
import type { Refusal, Row, Scheduler, Submission } from "./schedulers/scheduler.ts";

/**
 * The values of secrets, by name, for the environment of a submit command, from which the scheduler
 * takes them. What flow itself has not got is left out.
 */
export type Secrets = (names: readonly string[]) => Readonly<Record<string, string>>;

export interface PilotOptions {
  readonly scheduler: Scheduler;
  readonly transport: Transport;
  readonly queue: Queue;
  readonly clock: Clock;
  readonly folder: string;
  readonly scripts: string;
  readonly secrets: Secrets;
  /** Most pilots of a group. */
  readonly most: number;
  readonly timeMs: number;
  readonly idleMs: number;
}

/** What the pilots of a group are submitted with; kept beside the queue for later flows. */
interface Group {
  readonly name: string;
  readonly title: string;
  readonly request: readonly string[];
  /** Seconds that must be left for another attempt. */
  readonly need: number;
  /** Names of variables passed through. */
  readonly secrets: readonly string[];
}

/** A submitted pilot may be invisible this long. */
const VISIBLE_MS = 3000;

/** A pilot on a busy node may need so long between taking an attempt and beginning it. */
const BEGIN_MS = 60_000;

/** A pilot whose file has stayed the same for so long, twelve times its pulse, is not known to live. */
const SILENT_MS = 120_000;

/** Pilots that take nothing are not replaced for ever. */
const MOST_FRUITLESS = 5;

interface Watch {
  lastSubmit: number;
  /** How many pilots there were to be after the latest submission. */
  expected: number;
  waiting: number;
  fruitless: number;
  trouble: string | undefined;
}

const newWatch = (waiting: number): Watch => ({
  lastSubmit: -Infinity,
  expected: 0,
  waiting,
  fruitless: 0,
  trouble: undefined,
});

export class Pilots {
  readonly #options: PilotOptions;
  readonly #groups = new Map<string, Group & { next: number }>();
  readonly #watches = new Map<string, Watch>();
  /** The latest change in a pilot's sign of life, by its file. */
  readonly #beats = new Map<string, { readonly beat: string; readonly since: number }>();
  /** By group, what had been taken at the latest look. */
  readonly #takenThen = new Map<string, ReadonlySet<string>>();

  constructor(options: PilotOptions) {
    this.#options = options;
  }

  /** Most pilots of a group. */
  get most(): number {
    return this.#options.most;
  }

  /** The group for attempts that ask for this; `taskMs` is what one may take, if that is known. */
  group(
    title: string,
    request: readonly string[],
    taskMs: number | undefined,
    secrets: readonly string[],
  ): string {
    const shape = JSON.stringify([title, request, taskMs, secrets]);
    const known = this.#groups.get(shape);
    if (known !== undefined) return known.name;
    const name = `flow-${randomBytes(10).toString("hex")}`;
    const need = taskMs === undefined ? 60 : Math.ceil(taskMs / 1000) + 10;
    const group = { name, title, request, need, secrets };
    const directory = `${this.#options.folder}/${name}`;
    for (const each of ["queue", "taken", "beats"])
      mkdirSync(`${directory}/${each}`, { recursive: true });
    writeFileSync(groupFile(directory), JSON.stringify(group));
    this.#groups.set(shape, { ...group, next: 0 });
    return name;
  }

  /** A place in a group's queue. */
  nextIndex(name: string): number {
    const group = [...this.#groups.values()].find((each) => each.name === name);
    if (group === undefined) throw new Error(`no group has the name ${name}`);
    return group.next++;
  }

  /** Puts an attempt where pilots find it, whole, with the directory it will run in. */
  enqueue(membership: Membership, attempt: string): void {
    const { name, generation } = membership;
    makeIncarnation(attempt, generation);
    publish(attempt, generation, `${this.#options.folder}/${name}/queue`, entryOf(membership));
  }

  /** Takes an attempt out of the queue. False when a pilot was faster. */
  drop(membership: Membership): boolean {
    return createFile(this.#taken(membership), DROPPED);
  }

  /** In the queue, taken by a pilot that may not have begun it yet, or taken out of the queue. */
  holds(membership: Membership): "queue" | "taken" | "dropped" | undefined {
    const { name } = membership;
    const taker = readText(this.#taken(membership));
    if (taker !== undefined) return taker === DROPPED ? "dropped" : "taken";
    const queued = exists(`${this.#options.folder}/${name}/queue/${entryOf(membership)}`);
    return queued ? "queue" : undefined;
  }

  /** The job of the pilot that has taken an attempt; undefined while none has. */
  pilotOf(membership: Membership): string | undefined {
    const taker = readText(this.#taken(membership))?.trim();
    return taker === undefined || taker === "" || taker === DROPPED ? undefined : taker;
  }

  /** Looks at what pilots have taken, with one question for each group. */
  look(names: Iterable<string>): void {
    for (const name of names) {
      const directory = `${this.#options.folder}/${name}/taken`;
      if (exists(directory)) this.#takenThen.set(name, new Set(readdirSync(directory)));
      else this.#takenThen.delete(name);
    }
  }

  /** What there is to say of an attempt that was in the queue, while nobody had taken it at the latest look. */
  stillWaiting(membership: Membership, rows: Rows | string): Queued | undefined {
    const { name } = membership;
    const isWaiting = this.#takenThen.get(name)?.has(entryOf(membership)) === false;
    return isWaiting ? this.#waiting(name, rows) : undefined;
  }

  #taken(membership: Membership): string {
    return `${this.#options.folder}/${membership.name}/taken/${entryOf(membership)}`;
  }

  /** Lets the pilots of groups go for which there is nothing left to do: those that run look for the file. */
  async dismiss(names: readonly string[]): Promise<void> {
    const { folder, queue } = this.#options;
    const groups = names.filter((name) => exists(groupFile(`${folder}/${name}`)));
    if (groups.length === 0) return;
    for (const name of groups) rmSync(groupFile(`${folder}/${name}`));
    const rows = await queue.list();
    if (typeof rows === "string") return;
    const waiting = groups.flatMap((name) =>
      rows.living(name).filter(({ phase }) => phase === "waiting"),
    );
    await Promise.all(waiting.map(({ id }) => queue.cancel(id, "forced")));
  }

  /** Puts an attempt that its pilot took and never began back into the queue, for another one. */
  giveBack(membership: Membership, attempt: string): boolean {
    const next = { ...membership, generation: membership.generation + 1 };
    if (!enlist(attempt, next)) return false;
    this.enqueue(next, attempt);
    return true;
  }

  /** `place`: where an attempt that has not begun is, see {@link holds}. */
  judge(
    membership: Membership,
    rows: Rows | string,
    evidence: Omit<Evidence, "row"> & { readonly place: ReturnType<Pilots["holds"]> },
  ): Verdict {
    const { incarnation, place } = evidence;
    if (place === "queue") return this.#waiting(membership.name, rows);
    if (place === "dropped") return { type: "vanished" };
    const pilot = this.pilotOf(membership);
    const found = typeof rows === "string" || pilot === undefined ? undefined : rows.byId(pilot);
    const row = typeof rows === "string" ? "unreachable" : found;
    const isOver = row === undefined || (row !== "unreachable" && row.phase === "ended");
    // A pilot that lives begins what it has taken; one that is gone may have begun it unseen.
    const patienceMs = isOver ? SETTLE_MS : BEGIN_MS;
    if (place === "taken" && evidence.stop === undefined && evidence.unchangedMs < patienceMs)
      return { type: "queued", why: undefined };
    if (place === "taken" && isOver) return { type: "vanished" };
    if (incarnation.exit === undefined && pilot !== undefined && found?.phase === "running") {
      const silentMs = this.#silence(membership.name, pilot);
      if (silentMs >= SILENT_MS) return { type: "unknown", why: hangs(found, silentMs) };
    }
    const unchangedMs = incarnation.exit === undefined ? evidence.unchangedMs : Infinity;
    return judge({ ...evidence, unchangedMs, row });
  }

  /** For how long a pilot has been seen to give no sign of life. */
  #silence(name: string, pilot: string): number {
    const file = `${this.#options.folder}/${name}/beats/${pilot}`;
    const now = this.#options.clock.now();
    const beat = readText(file) ?? "";
    const before = this.#beats.get(file);
    if (before !== undefined && (beat === before.beat || beat === "")) return now - before.since;
    if (beat !== "") this.#beats.set(file, { beat, since: now });
    return 0;
  }

  #waiting(name: string, rows: Rows | string): Queued {
    const trouble = this.#watches.get(name)?.trouble;
    if (trouble !== undefined || typeof rows === "string")
      return { type: "queued", why: trouble, ...(trouble === undefined ? {} : { stuck: true }) };
    const living = rows.living(name);
    const waiting = living.find(({ phase }) => phase === "waiting");
    const isServed = waiting === undefined || living.length > 1;
    return isServed ? { type: "queued", why: waiting?.why } : queued(waiting);
  }

  /** Submits pilots for queues that have too few. A refusal, when the scheduler does not want them. */
  async replenish(names: Iterable<string>): Promise<Refusal | undefined> {
    for (const name of names) {
      const directory = `${this.#options.folder}/${name}`;
      const waiting = exists(groupFile(directory)) ? untaken(directory) : 0;
      if (waiting === 0) continue;
      const { most, queue, clock } = this.#options;
      const watch = this.#watches.get(name) ?? newWatch(waiting);
      this.#watches.set(name, watch);
      const rows = await queue.list();
      if (typeof rows === "string") continue;
      const visible = rows.living(name);
      const isRecent = clock.now() - watch.lastSubmit < VISIBLE_MS;
      const unseen = isRecent ? Math.max(0, watch.expected - visible.length) : 0;
      const living = visible.length + unseen;
      // Each of those that have not started will take one.
      const starting = unseen + visible.filter(({ phase }) => phase === "waiting").length;
      const missing = Math.min(most - living, waiting - starting);
      if (missing <= 0) continue;
      watch.fruitless = living > 0 || waiting < watch.waiting ? 0 : watch.fruitless + 1;
      watch.waiting = waiting;
      if (watch.fruitless > MOST_FRUITLESS) {
        watch.trouble = `its pilots end without taking it; see ${directory}/log`;
        continue;
      }
      watch.lastSubmit = clock.now();
      watch.expected = living + missing;
      const group = JSON.parse(readFileSync(groupFile(directory), "utf8")) as Group;
      const refusal = await this.#submit(group, missing);
      watch.trouble = refusal?.message;
      if (refusal === undefined) continue;
      watch.expected = living;
      return refusal;
    }
    return undefined;
  }

  async #submit(group: Group, members: number): Promise<Refusal | undefined> {
    const { scheduler, transport, queue, folder, scripts, secrets, idleMs, timeMs } = this.#options;
    const directory = `${folder}/${group.name}`;
    const seconds = [Math.ceil(idleMs / 1000), group.need, Math.floor(timeMs / 1000)];
    const submission: Submission = {
      name: group.name,
      title: `pilots for ${group.title}`,
      members,
      request: group.request,
      restartable: false,
      command: ["sh", `${scripts}/pilot.sh`, directory, ...seconds.map(String)],
      log: `${directory}/log`,
    };
    const { argv, input } = scheduler.submit(submission);
    const result = await transport.run(argv, input, secrets(group.secrets));
    queue.invalidate();
    const answer = scheduler.parseSubmitted(result);
    return answer.ok ? undefined : { ...answer.error, message: complaint(result) };
  }
}

const hangs = ({ id, state, node }: Row, silentMs: number): string =>
  `its pilot, job ${id}${node === undefined ? "" : ` on ${node}`}, is ${state} for the scheduler but has given no sign of life for ${formatDuration(silentMs)}`;

/** What the pilots are submitted with; without it they leave. */
const groupFile = (directory: string): string => `${directory}/pilots.json`;

/** How many entries wait; those that have been taken are cleared away. */
function untaken(directory: string): number {
  const taken = new Set(readdirSync(`${directory}/taken`));
  let waiting = 0;
  for (const entry of readdirSync(`${directory}/queue`)) {
    if (taken.has(entry)) rmSync(`${directory}/queue/${entry}`, { force: true });
    else waiting += 1;
  }
  return waiting;
}

/** What stands for a pilot when flow itself has taken an attempt out. */
const DROPPED = "-";

/** In order of their indices; an attempt that is given back has a name of its own. */
const entryOf = ({ index, generation }: Membership): string =>
  `${String(index).padStart(7, "0")}.${generation}`;

const exists = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;
