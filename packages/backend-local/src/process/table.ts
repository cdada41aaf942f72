// What the kernel tells of running processes: read from /proc on Linux, from `ps` elsewhere. A
// process is named for ever by its pid, its start time and the boot it runs in; a zombie is dead.

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { uptime } from "node:os";
import { basename } from "node:path";

/**
 * Variable that marks every process of an attempt, however far it strays from its tree: the attempt's
 * folder. Its key would not do, copies of a project have the same keys.
 */
export const MARK = "FLOW_ATTEMPT_DIR";

export interface ProcessInfo {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Differs between two processes that had the same pid. */
  readonly start: string;
  readonly zombie: boolean;
  /** Whether it has not become another program since it was forked; false where the kernel does not tell. */
  readonly forked: boolean;
}

/** A process, told from all others that had or will have its pid. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly start: string;
  readonly boot: string;
}

export interface ProcessTable {
  /** Names the time since the machine last started. */
  readonly boot: string;
  /** Seconds since then. */
  uptime(): number;
  read(pid: number): ProcessInfo | undefined;
  list(): readonly ProcessInfo[];
  /** The {@link MARK} a process was started with; undefined without one, or where it may not be seen. */
  mark(pid: number): string | undefined;
  /** Bytes in memory now, and the most it ever had (absent where the kernel does not tell). */
  memory(pid: number): { now: number; peak: number } | undefined;
  /** File name of the program it runs. */
  program(pid: number): string | undefined;
  /** Whether it catches or ignores a signal instead of dying of it. */
  handles(pid: number, signal: number): boolean;
}

/** False for a zombie, for another process with the same pid, and after a restart of the machine. */
export function isAlive(identity: ProcessIdentity, table: ProcessTable): boolean {
  if (identity.boot !== table.boot) return false;
  const found = table.read(identity.pid);
  return found !== undefined && !found.zombie && found.start === identity.start;
}

/** The table of this machine. */
export function systemTable(): ProcessTable {
  return process.platform === "linux" ? linuxTable("/proc") : psTable();
}

/** Reads a mounted proc file system. */
export function linuxTable(proc: string): ProcessTable {
  const read = (pid: number): ProcessInfo | undefined =>
    parseStat(
      pid,
      attempt(() => readFileSync(`${proc}/${pid}/stat`, "latin1")),
    );
  const status = (pid: number): string =>
    attempt(() => readFileSync(`${proc}/${pid}/status`, "latin1")) ?? "";
  return {
    boot: (attempt(() => readFileSync(`${proc}/sys/kernel/random/boot_id`, "latin1")) ?? "").trim(),
    uptime: clockOf(() =>
      Number.parseFloat(attempt(() => readFileSync(`${proc}/uptime`, "latin1")) ?? "0"),
    ),
    read,
    list() {
      const found: ProcessInfo[] = [];
      for (const name of readdirSync(proc)) {
        const info = /^\d+$/.test(name) ? read(Number(name)) : undefined;
        if (info !== undefined) found.push(info);
      }
      return found;
    },
    mark(pid) {
      const environment = attempt(() => readFileSync(`${proc}/${pid}/environ`, "latin1"));
      return environment === undefined ? undefined : markIn(`\0${environment}`);
    },
    memory(pid) {
      const text = status(pid);
      const now = kilobytes(text, "VmRSS");
      return now === undefined ? undefined : { now, peak: kilobytes(text, "VmHWM") ?? now };
    },
    program(pid) {
      const path = attempt(() => readlinkSync(`${proc}/${pid}/exe`));
      return path === undefined ? undefined : basename(path);
    },
    handles(pid, signal) {
      const text = status(pid);
      return hasSignal(text, "SigCgt", signal) || hasSignal(text, "SigIgn", signal);
    },
  };
}

/** Asks `ps`, for systems without /proc: no memory peaks, and no word on what a process handles. */
export function psTable(): ProcessTable {
  const columns = "pid=,ppid=,pgid=,sess=,stat=,lstart=";
  const one = (pid: number, column: string): string => ask("ps", "-o", column, "-p", String(pid));
  return {
    boot: ask("sysctl", "-n", "kern.boottime").replace(/[^0-9]+/g, "-"),
    uptime: clockOf(uptime),
    read: (pid) => parsePs(one(pid, columns)),
    list: () =>
      ask("ps", "-axo", columns)
        .split("\n")
        .flatMap((line) => parsePs(line) ?? []),
    mark: (pid) =>
      markIn(ask("ps", "-E", "-o", "command=", "-p", String(pid)).replaceAll(" ", "\0")),
    memory(pid) {
      const now = Number.parseInt(one(pid, "rss="), 10) * 1024;
      return Number.isNaN(now) ? undefined : { now, peak: now };
    },
    program(pid) {
      const path = one(pid, "comm=").trim();
      return path === "" ? undefined : basename(path).replace(/^-/, "");
    },
    handles: () => false,
  };
}

/** What a program prints; nothing when it is not there or fails. */
const ask = (program: string, ...args: readonly string[]): string =>
  attempt(() =>
    execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
  ) ?? "";

/** Asks the system once a second: in between, and only there, time passes as for this process. */
function clockOf(ask: () => number): () => number {
  let base = { at: Number.NEGATIVE_INFINITY, seconds: 0 };
  return () => {
    const now = performance.now();
    if (now - base.at > 1000) base = { at: now, seconds: ask() };
    return base.seconds + (now - base.at) / 1000;
  };
}

/** Processes come and go while they are looked at: what cannot be read is not there. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** The flag of the kernel that ps(1) calls "forked but didn't exec". */
const FORKED = 0x40;

function parseStat(pid: number, text: string | undefined): ProcessInfo | undefined {
  if (text === undefined) return undefined;
  // The program's name stands in parentheses and may hold blanks and parentheses itself.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state = "", parent = "", group = "", session = ""] = fields;
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    start: fields[19] ?? "",
    zombie: state === "Z" || state === "X",
    forked: (Number(fields[6]) & FORKED) !== 0,
  };
}

function parsePs(line: string): ProcessInfo | undefined {
  const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S+)\s+(.+?)\s*$/.exec(line);
  if (match === null) return undefined;
  const [, pid, parent, group, session, state = "", start = ""] = match;
  return {
    pid: Number(pid),
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    start: start.replaceAll(" ", "_"),
    zombie: state.startsWith("Z"),
    forked: false,
  };
}

function markIn(environment: string): string | undefined {
  const at = environment.indexOf(`\0${MARK}=`);
  if (at === -1) return undefined;
  const from = at + MARK.length + 2;
  const end = environment.indexOf("\0", from);
  return environment.slice(from, end === -1 ? undefined : end);
}

function kilobytes(status: string, field: string): number | undefined {
  const match = new RegExp(`^${field}:\\s*(\\d+) kB`, "m").exec(status);
  return match === null ? undefined : Number(match[1]) * 1024;
}

function hasSignal(status: string, field: string, signal: number): boolean {
  const match = new RegExp(`^${field}:\\s*([0-9a-f]+)`, "m").exec(status);
  return match !== null && ((BigInt(`0x${match[1]}`) >> BigInt(signal - 1)) & 1n) === 1n;
}
