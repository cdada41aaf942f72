// Whose process is it? Every process of a lease inherits a marker in its environment, however far it
// strays from the tree; the kernel tells user and program of the others.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { userInfo } from "node:os";

/** Variable that marks the processes of a lease. */
export const MARK = "FLOW_GPU_LEASE";

export interface Processes {
  /** Lease of a process; undefined when it has none or may not be looked at. */
  leaseOf(pid: number): string | undefined;
  /** Whether the process can be seen: not so for pids of another namespace. */
  exists(pid: number): boolean;
  parentOf(pid: number): number | undefined;
  /** `pid 4242 python (anna)`. */
  describe(pid: number): string;
  /** Leases that living processes carry. */
  marked(): ReadonlySet<string>;
}

/** The processes of this machine. */
export function systemProcesses(proc: string = "/proc"): Processes {
  const known = new Map<string, string | undefined>();
  const leaseOf = (pid: number): string | undefined => {
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
    leaseOf,
    exists: (pid) => startOf(proc, pid) !== undefined,
    parentOf: (pid) => {
      const parent = Number(fieldsOf(proc, pid)?.[1]);
      return Number.isInteger(parent) ? parent : undefined;
    },
    describe: (pid) => `pid ${pid} ${programOf(proc, pid)} (${userOf(proc, pid)})`,
    marked() {
      const leases = new Set<string>();
      for (const name of list(proc)) {
        const lease = /^\d+$/.test(name) ? markOf(proc, Number(name)) : undefined;
        if (lease !== undefined && !isZombie(proc, Number(name))) leases.add(lease);
      }
      return leases;
    },
  };
}

function markOf(proc: string, pid: number): string | undefined {
  const environment = read(`${proc}/${pid}/environ`);
  if (environment === undefined) return undefined;
  const at = `\0${environment}`.indexOf(`\0${MARK}=`);
  return at === -1 ? undefined : environment.slice(at + MARK.length + 1).split("\0", 1)[0];
}

function fieldsOf(proc: string, pid: number): readonly string[] | undefined {
  const stat = read(`${proc}/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
}

const startOf = (proc: string, pid: number): string | undefined => fieldsOf(proc, pid)?.[19];
const isZombie = (proc: string, pid: number): boolean =>
  ["Z", "X", undefined].includes(fieldsOf(proc, pid)?.[0]);
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
