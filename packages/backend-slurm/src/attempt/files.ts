// What lies in an attempt's directory beside the engine's own files: which submissions it was part of,
// what its incarnations left there, and how flow asks it to stop. All of it can be read by a later
// flow, and none of it needs the scheduler.

import {
  copyFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { type MachineFacts, type StopReason, stopReason } from "@flow/core";
import { type ExitRecord, parseExit, parseStarted, type StartedRecord } from "@flow/task-py";
import { parseMachine } from "./machine.ts";

/** An attempt's place in a submission, written before that is handed over. */
export interface Membership {
  /** The submission key. */
  readonly name: string;
  readonly index: number;
  /** 0, 1, …: how often the attempt was handed over before, because nothing had come of it. */
  readonly generation: number;
  /** It waits in a queue from which pilots take, and is no job of its own. */
  readonly pilot: boolean;
}

const membershipFile = (attempt: string, generation: number): string =>
  `${attempt}/submission.${generation}`;

/** Takes the attempt for a submission. False when somebody has done so for this generation. */
export function enlist(attempt: string, { name, index, generation, pilot }: Membership): boolean {
  const text = pilot ? `${name} ${index} pilot\n${generation} ${attempt}\n` : `${name} ${index}\n`;
  return createFile(membershipFile(attempt, generation), text);
}

/** Lets what {@link enlist} wrote for a pilot appear whole in a queue's folder, under a name of its own. */
export function publish(attempt: string, generation: number, folder: string, entry: string): void {
  const file = membershipFile(attempt, generation);
  try {
    linkSync(file, `${folder}/${entry}`);
  } catch {
    // Some file systems of clusters link nothing across folders.
    copyFileSync(file, `${folder}/.${entry}`);
    renameSync(`${folder}/.${entry}`, `${folder}/${entry}`);
  }
}

/** Takes back what {@link enlist} did for a submission that certainly does not exist. */
export const discharge = (attempt: string, generation: number): void =>
  unlinkSync(membershipFile(attempt, generation));

/** The latest submission the attempt is part of; undefined when it never was. */
export function readMembership(attempt: string): Membership | undefined {
  let found: Membership | undefined;
  for (let generation = 0; ; generation++) {
    const line = readText(membershipFile(attempt, generation));
    if (line === undefined) return found;
    const [, name, index, pilot] = /^(\S+) (\d+)( pilot)?\n/.exec(line) ?? [];
    if (name !== undefined)
      found = { name, index: Number(index), generation, pilot: pilot !== undefined };
  }
}

const closedFile = (attempt: string): string => `${attempt}/closed`;

/** Gives an attempt up for good: nobody will submit it any more. */
export const close = (attempt: string): boolean => createFile(closedFile(attempt), "");

export const isClosed = (attempt: string): boolean => exists(closedFile(attempt));

/** One life of an attempt: the first, or one that the scheduler gave it by restarting it. */
export interface Incarnation {
  /** 0: the first. */
  readonly restart: number;
  /** Its claim; absent when it has not started. */
  readonly started: StartedRecord | undefined;
  /** flow has taken its claim: it will never start. */
  readonly fenced: boolean;
  /** Unix milliseconds. */
  readonly startedAt: number | undefined;
  readonly exit: ExitRecord | undefined;
  /** What the node says it is; only of one that has ended. */
  readonly machine?: MachineFacts | undefined;
  /** The scheduler restarts it, asked or by itself, so its result is not the attempt's. */
  readonly requeued: boolean;
}

/** The directory of an incarnation, within that of the attempt. */
export const incarnationName = (generation: number, restart: number): string =>
  `${generation}.${restart}`;

const incarnationDirectory = (attempt: string, generation: number, restart: number): string =>
  `${attempt}/${incarnationName(generation, restart)}`;

/** Where the result of an incarnation lies once there is one. */
export const exitFile = (attempt: string, generation: number, restart: number): string =>
  `${incarnationDirectory(attempt, generation, restart)}/exit`;

/**
 * The incarnation that counts: the one after so many restarts, as the scheduler counts them; without
 * its word the last that has started. One that flow has fenced gives way to the one before it.
 */
export function readIncarnation(
  attempt: string,
  generation: number,
  restarts: number | undefined,
): Incarnation {
  const last = restarts ?? lastRestart(attempt, generation);
  const found = readOne(attempt, generation, last);
  return found.fenced && last > 0 ? readOne(attempt, generation, last - 1) : found;
}

function lastRestart(attempt: string, generation: number): number {
  let restart = 0;
  while (exists(`${incarnationDirectory(attempt, generation, restart + 1)}/started`)) restart++;
  return restart;
}

function readOne(attempt: string, generation: number, restart: number): Incarnation {
  const directory = incarnationDirectory(attempt, generation, restart);
  const claim = readText(`${directory}/started`);
  const started = claim === undefined ? undefined : parseStarted(claim);
  if (started === undefined) {
    const nothing = { started, startedAt: undefined, exit: undefined };
    const fenced = claim?.startsWith(FENCE) === true;
    return { restart, ...nothing, fenced, requeued: false };
  }
  const exit = readText(`${directory}/exit`);
  return {
    restart,
    started,
    fenced: false,
    startedAt: Math.round(statSync(`${directory}/started`).mtimeMs),
    exit: exit === undefined ? undefined : parseExit(exit),
    machine: exit === undefined ? undefined : parseMachine(readText(`${directory}/machine`) ?? ""),
    requeued: exists(`${directory}/requeue`) || exists(`${directory}/superseded`),
  };
}

/** A claim of nobody. */
const FENCE = "pid=- ";

/** The only line of such a claim. */
export const FENCE_LINE: string = `${FENCE}runner=fence`;

/** Takes the claim of an incarnation so that it can never start. False when it has. */
export function fence(attempt: string, generation: number, restart: number): boolean {
  const directory = incarnationDirectory(attempt, generation, restart);
  mkdirSync(directory, { recursive: true });
  if (createFile(`${directory}/started`, `${FENCE_LINE}\n`)) return true;
  return readOne(attempt, generation, restart).fenced;
}

/** Writes flow's stop request, whole; one that is there stays, because the first one counts. */
export function askToStop(attempt: string, reason: StopReason, wall: number): void {
  const text = JSON.stringify({ reason, at: Math.round(wall / 1000) });
  const draft = `${attempt}/stop.${process.pid}`;
  writeFileSync(draft, `${text}\n`);
  try {
    linkSync(draft, `${attempt}/stop`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    unlinkSync(draft);
  }
}

/** The directory of an attempt's first incarnation, made as a job of its own would make it. */
export function makeIncarnation(attempt: string, generation: number): string {
  const directory = incarnationDirectory(attempt, generation, 0);
  mkdirSync(directory, { recursive: true });
  return directory;
}

/** Tells the runner of a pilot, which no scheduler can signal for itself. */
export function tellRunner(attempt: string, generation: number): void {
  createFile(`${makeIncarnation(attempt, generation)}/stop`, readText(`${attempt}/stop`) ?? "\n");
}

/** Lets the stop be without grace. */
export const askToKill = (attempt: string): boolean => createFile(`${attempt}/kill`, "");

/** The reason of flow's own stop request; undefined when there is none. */
export function readStop(attempt: string): StopReason | undefined {
  const text = readText(`${attempt}/stop`);
  if (text === undefined) return undefined;
  return stopReason(/"reason":"(\w+)"/.exec(text)?.[1]);
}

/** The last line of a text that holds one, for messages. */
export const lastLine = (path: string): string | undefined =>
  readText(path)
    ?.split("\n")
    .filter((line) => line.trim() !== "")
    .at(-1);

/** False when it is there already. */
export function createFile(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

const exists = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;

/** Undefined when there is no such file. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}
