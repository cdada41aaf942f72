// Whose process is it? Every process of a lease inherits a marker in its environment, however far it
// strays from the tree; the kernel tells user and program of the others.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { userInfo } from "node:os";

/** Variable that marks the processes of a lease. */
export const MARK = "FLOW_GPU_LEASE";

/** What a process says of itself: that it belongs to a lease. Anybody can say so. */
export interface Mark {
  readonly lease: string;
  /** Whose process it is. */
  readonly user: string;
}

/** A process that no other one is taken for, though its number be given out again. */
export interface Holder {
  readonly pid: number;
  /** When it started, as the kernel counts. */
  readonly start: string;
}

/** A lease is its user's alone; only the administrator's processes may belong to it too. */
export const isMarkOf = ({ lease, user }: Mark, owner: { id: string; user: string }): boolean =>
  lease === owner.id && (user === owner.user || user === userName(0));

export interface Processes {
  /** Mark of a process; undefined when it has none or may not be looked at. */
  markOf(pid: number): Mark | undefined;
  /** Whether the process can be seen: not so for pids of another namespace. */
  exists(pid: number): boolean;
  parentOf(pid: number): number | undefined;
  /** The process as it will be known again; undefined when it has ended. */
  holderOf(pid: number): Holder | undefined;
  /** `pid 4242 python (anna)`. */
  describe(pid: number): string;
  /** Marks of all living processes. */
  marks(): readonly Mark[];
}

/** Looks at a process that is about to become another program, which takes it a moment, and the pause between two. */
const LOOKS = 50;
const LOOK_MS = 2;
/** In the flags of a process: it is a thread of the kernel. */
const KERNEL_THREAD = 0x200000;

/** The processes of this machine. */
export function systemProcesses(proc: string = "/proc"): Processes {
  const known = new Map<string, Mark>();
  /** Processes that really have no environment. */
  const bare = new Set<string>();
  /** The mark of a living process, for which one that has no environment just now is waited for. */
  const markOfLiving = (pid: number): Mark | undefined => {
    let name = "";
    for (let looks = 0; looks < LOOKS; looks++) {
      const environment = read(`${proc}/${pid}/environ`);
      if (environment === undefined) return undefined;
      // One that has ended has none any more.
      if (environment !== "") return markIn(environment, proc, pid);
      const fields = fieldsOf(proc, pid);
      if (isDead(fields?.[0])) return undefined;
      name = `${pid} ${fields?.[19]}`;
      if ((Number(fields?.[6]) & KERNEL_THREAD) !== 0 || bare.has(name)) return undefined;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_MS);
    }
    if (bare.size > 10_000) bare.clear();
    bare.add(name);
    return undefined;
  };
  const knownMark = (pid: number): Mark | undefined => {
    const start = startOf(proc, pid);
    if (start === undefined) return undefined;
    const name = `${pid} ${start}`;
    // A process that has just been forked may still carry its parent's environment until it starts
    // its program, so only what was found is remembered.
    const found = known.get(name) ?? markOf(proc, pid);
    if (found !== undefined) known.set(name, found);
    if (known.size > 10_000) known.clear();
    return found;
  };
  return {
    markOf: knownMark,
    exists: (pid) => startOf(proc, pid) !== undefined,
    parentOf: (pid) => {
      const parent = Number(fieldsOf(proc, pid)?.[1]);
      return Number.isInteger(parent) ? parent : undefined;
    },
    holderOf: (pid) => {
      const fields = fieldsOf(proc, pid);
      const start = fields?.[19];
      // One that has ended may lie there until its parent has asked how.
      return start === undefined || isDead(fields?.[0]) ? undefined : { pid, start };
    },
    describe: (pid) => `pid ${pid} ${programOf(proc, pid)} (${userOf(proc, pid)})`,
    marks: () =>
      list(proc).flatMap((name) => (/^\d+$/.test(name) ? (markOfLiving(Number(name)) ?? []) : [])),
  };
}

function markOf(proc: string, pid: number): Mark | undefined {
  const environment = read(`${proc}/${pid}/environ`);
  return environment === undefined ? undefined : markIn(environment, proc, pid);
}

function markIn(environment: string, proc: string, pid: number): Mark | undefined {
  const at = `\0${environment}`.indexOf(`\0${MARK}=`);
  if (at === -1) return undefined;
  const [lease = ""] = environment.slice(at + MARK.length + 1).split("\0", 1);
  return { lease, user: userOf(proc, pid) };
}

function fieldsOf(proc: string, pid: number): readonly string[] | undefined {
  const stat = read(`${proc}/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
}

const isDead = (state: string | undefined): boolean => ["Z", "X", undefined].includes(state);
const startOf = (proc: string, pid: number): string | undefined => fieldsOf(proc, pid)?.[19];
const programOf = (proc: string, pid: number): string => read(`${proc}/${pid}/comm`)?.trim() ?? "?";

function userOf(proc: string, pid: number): string {
  try {
    return userName(statSync(`${proc}/${pid}`).uid);
  } catch {
    return "?";
  }
}

let ownName: string | undefined;
let users: ReadonlyMap<number, string> | undefined;

/** A user's name; the number where the machine knows none. */
export function userName(uid: number): string {
  ownName ??= userInfo().username;
  if (uid === process.getuid?.()) return ownName;
  users ??= new Map(
    (read("/etc/passwd") ?? "").split("\n").map((line) => {
      const [name = "", , number] = line.split(":");
      return [Number(number), name];
    }),
  );
  return users.get(uid) ?? String(uid);
}

function list(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}
