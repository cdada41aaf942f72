// The files of one attempt, and their formats: the claim (`started`), the result (`exit`), the stop
// request (`stop`) and what was used (`usage.jsonl`). Every reader takes text that may be torn,
// old or foreign and answers `undefined` rather than guess.

import { linkSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { type StopReason, stopReason } from "@flow/core";

/** Absolute paths of the files in one attempt's directory. */
export interface AttemptFiles {
  readonly directory: string;
  readonly started: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: string;
  readonly stop: string;
  readonly usage: string;
}

export const attemptFiles = (directory: string): AttemptFiles => ({
  directory,
  started: `${directory}/started`,
  stdout: `${directory}/stdout`,
  stderr: `${directory}/stderr`,
  exit: `${directory}/exit`,
  stop: `${directory}/stop`,
  usage: `${directory}/usage.jsonl`,
});

/** Who runs an attempt and under which rules, as its claim says. */
export interface Claim {
  /** Absent in a claim that fences: nobody runs it and nobody will. */
  readonly pid: number | undefined;
  /** Start time of that process in clock ticks since boot, as text. */
  readonly start: string | undefined;
  readonly boot: string | undefined;
  readonly host: string | undefined;
  /** Seconds since boot when it started. */
  readonly uptime: number | undefined;
  /** Shares flow's terminal, and so its session. */
  readonly terminal: boolean;
  readonly policy: StopPolicy;
}

/** How an attempt is stopped and when it must be. */
export interface StopPolicy {
  /** Name of a signal, or `none`. */
  readonly signal: string;
  readonly graceMs: number;
  readonly timeoutMs: number | undefined;
  /** Per action, `finally` included. */
  readonly actionTimeoutsMs: readonly (number | undefined)[];
}

/** The result an attempt's shell wrote. */
export interface ExitRecord {
  readonly code: number;
  /** 0: none. */
  readonly signal: number;
  readonly stopped: boolean;
  /** Number of the action that gave the code, from 1; 0: none was started. */
  readonly action: number;
  /** Why the shell could not start an action: `cwd`, `stdin`, `system`. */
  readonly error: string | undefined;
  readonly uptime: number | undefined;
}

export interface StopRecord {
  readonly reason: StopReason;
  /** Unix seconds of the hard kill. */
  readonly killAt: number | undefined;
}

/** For a claim that does not tell. */
export const DEFAULT_POLICY: StopPolicy = {
  signal: "SIGTERM",
  graceMs: 10_000,
  timeoutMs: undefined,
  actionTimeoutsMs: [],
};

/** The words of a claim that say how the attempt is stopped. */
export function claimWords(policy: StopPolicy): string {
  const timeouts = policy.actionTimeoutsMs.map((value) => value ?? "-").join(",");
  return `stop=${policy.signal} grace=${policy.graceMs} timeout=${policy.timeoutMs ?? "-"} actions=${timeouts}`;
}

/** The claim in a `started` file; undefined when the text is torn. */
export function parseClaim(text: string): Claim | undefined {
  const end = text.indexOf("\n");
  if (end === -1) return undefined;
  const word = words(text.slice(0, end));
  const pid = natural(word("pid"));
  if (pid === undefined && word("runner") !== "fence") return undefined;
  return {
    pid,
    start: word("start"),
    boot: word("boot"),
    host: word("host"),
    uptime: decimal(word("uptime")),
    terminal: word("terminal") === "1",
    policy: {
      signal: word("stop") ?? DEFAULT_POLICY.signal,
      graceMs: natural(word("grace")) ?? DEFAULT_POLICY.graceMs,
      timeoutMs: natural(word("timeout")),
      actionTimeoutsMs: (word("actions") ?? "").split(",").map(natural),
    },
  };
}

/** Number (from 1) and start (seconds since boot) of the last action a `started` file tells of. */
export function parseLastAction(text: string): { action: number; uptime: number } | undefined {
  const lines = text.split("\n").slice(0, -1);
  const word = words(lines.findLast((line) => line.startsWith("action=")) ?? "");
  const action = natural(word("action"));
  const uptime = decimal(word("uptime"));
  return action === undefined || uptime === undefined ? undefined : { action, uptime };
}

/**
 * The result in an `exit` file, in a claim that holds it, or in a runner's message; undefined while
 * it is not whole.
 */
export function parseExit(text: string): ExitRecord | undefined {
  const line = text
    .split("\n")
    .slice(0, -1)
    .find((one) => one.startsWith("code="));
  const word = words(line ?? "");
  const code = natural(word("code"));
  if (code === undefined) return undefined;
  return {
    code,
    signal: natural(word("signal")) ?? 0,
    stopped: word("stopped") !== undefined,
    action: natural(word("action")) ?? 0,
    error: word("error"),
    uptime: decimal(word("uptime")),
  };
}

/** The processor seconds in a `usage.jsonl`; undefined when they could not be seen. */
export function parseCpuSeconds(text: string): number | undefined {
  const line = text.trimEnd().split("\n").at(-1) ?? "";
  try {
    const { cpu_user_s: user, cpu_sys_s: system } = JSON.parse(line) as Record<string, unknown>;
    return typeof user === "number" && typeof system === "number" ? user + system : undefined;
  } catch {
    return undefined;
  }
}

/** The stop request in a `stop` file. One that cannot be read is a person's. */
export function parseStop(text: string): StopRecord {
  try {
    const { reason, kill_at: killAt } = JSON.parse(text) as Record<string, unknown>;
    return {
      reason: stopReason(reason),
      killAt: typeof killAt === "number" ? killAt : undefined,
    };
  } catch {
    return { reason: "user", killAt: undefined };
  }
}

/**
 * Creates the stop file whole. False when there is one already, which stays: the first request
 * wins. Times are unix seconds.
 *
 * @throws when the file system refuses.
 */
export function createStopFile(
  path: string,
  stop: { reason: StopReason; at: number; killAt: number },
): boolean {
  const temporary = `${path}.${process.pid}`;
  const text = JSON.stringify({ reason: stop.reason, at: stop.at, kill_at: stop.killAt });
  writeFileSync(temporary, `${text}\n`, { mode: 0o600 });
  try {
    linkSync(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    unlinkSync(temporary);
  }
}

/**
 * Takes the claim of an attempt so that nobody can: true when it never started and now never will.
 * False when somebody has claimed it. A directory that is gone cannot be claimed either.
 */
export function fence(path: string): boolean {
  try {
    writeFileSync(path, "pid=- runner=fence\n", { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    if (code === "ENOENT" || code === "ENOTDIR") return true;
    throw error;
  }
}

/** The whole text of a small file; undefined when it is not there. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

const SIGNAL_NAMES: ReadonlyMap<number, NodeJS.Signals> = new Map(
  Object.entries(constants.signals).map(([name, number]) => [number, name as NodeJS.Signals]),
);

/** `SIGKILL` for 9; undefined for 0 and numbers that are no signal. */
export const signalName = (number: number): NodeJS.Signals | undefined => SIGNAL_NAMES.get(number);

/** Splits `a=1 b=-` into its words; `-` and the empty text mean "not known". */
function words(line: string): (name: string) => string | undefined {
  const found = new Map<string, string>();
  for (const pair of line.split(" ")) {
    const at = pair.indexOf("=");
    if (at > 0) found.set(pair.slice(0, at), pair.slice(at + 1));
  }
  return (name) => {
    const value = found.get(name);
    return value === "-" || value === "" ? undefined : value;
  };
}

function natural(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

function decimal(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}
