// What lies in an attempt's directory on this machine beside the engine's own files: which task of
// which job it is, on which node it was seen first, how it was asked to stop, how it ended.

import { linkSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { type Exit, exitWith, type StopReason } from "@flow/core";

/** The task an attempt is, written before the task is added. */
export interface Membership {
  readonly job: string;
  readonly priority: "dedicated" | "low";
  /** Where its files are to be put on this machine. */
  readonly root: string;
  readonly output: string;
  readonly checkpoint: string;
  /** Persistent directories lie on a mount and do not come back. */
  readonly mounted: boolean;
  readonly graceMs: number;
}

const memberFile = (attempt: string): string => `${attempt}/azure.json`;

/** Takes the attempt for a task of this job; false when it is one already. */
export const enlist = (attempt: string, membership: Membership): boolean =>
  createFile(memberFile(attempt), `${JSON.stringify(membership)}\n`);

/** Undefined when the attempt was never about to be added. */
export function readMembership(attempt: string): Membership | undefined {
  return readJson<Membership>(memberFile(attempt));
}

/** Gives an attempt up for good: nobody will add it any more. */
export const close = (attempt: string): boolean => createFile(`${attempt}/closed`, "");

export const isClosed = (attempt: string): boolean => exists(`${attempt}/closed`);

/** One life of a task on a node. A node's name alone comes back after a preemption. */
export interface Life {
  readonly node: string;
  /** Unix milliseconds. */
  readonly startedAt: number;
}

/** The first one that was seen; it stays. */
export function firstLife(attempt: string, seen: Life | undefined): Life | undefined {
  const path = `${attempt}/azure-node.json`;
  if (seen !== undefined) createFile(path, `${JSON.stringify(seen)}\n`);
  return readJson<Life>(path);
}

export interface StopRequest {
  readonly reason: StopReason;
  /** Without grace. */
  readonly kill: boolean;
  /** Unix milliseconds. */
  readonly at: number;
}

/** Keeps flow's own stop request; the first reason stays, and a kill is never taken back. */
export function keepStop(attempt: string, request: StopRequest): StopRequest {
  const known = readStop(attempt);
  if (known !== undefined && (known.kill || !request.kill)) return known;
  const kept = { ...request, reason: known?.reason ?? request.reason };
  writeWhole(`${attempt}/azure-stop.json`, kept);
  return kept;
}

export const readStop = (attempt: string): StopRequest | undefined =>
  readJson<StopRequest>(`${attempt}/azure-stop.json`);

const exitFile = (attempt: string): string => `${attempt}/azure-exit.json`;

/** Writes how it ended, once everything of it is here. */
export function keepExit(attempt: string, exit: Exit): Exit {
  writeWhole(exitFile(attempt), exit);
  return exit;
}

/** How it ended; undefined while that is not known, or not everything of it is here. */
export function readExit(attempt: string): Exit | undefined {
  const known = readJson<Partial<Exit>>(exitFile(attempt));
  return known && exitWith(known);
}

/** How many attempts of the task right before this one were taken away; those that never ran do not count. */
export function preemptionsBefore(attempt: string): number {
  const [, folder, serial] = /^(.*[/-])(\d+)$/.exec(attempt) ?? [];
  if (folder === undefined || serial === undefined) return 0;
  let count = 0;
  for (let before = Number(serial) - 1; before > 0; before--) {
    const { cause } = readExit(`${folder}${before}`) ?? {};
    if (cause === "not-begun") continue;
    if (cause !== "preempted") break;
    count += 1;
  }
  return count;
}

function createFile(path: string, text: string): boolean {
  const draft = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  writeFileSync(draft, text);
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    unlinkSync(draft);
  }
}

function writeWhole(path: string, content: object): void {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(content)}\n`);
  renameSync(draft, path);
}

const exists = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;

function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as T;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
