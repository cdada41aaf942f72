// Who may reach the broker's socket: its own user, or a group of users. Files decide who may knock;
// the kernel then tells who did.

import { chmodSync, chownSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { err, ok, type Result } from "@flow/core";
import { loadBridge } from "../reader/bridge.ts";
import { type PeerUser, peerUser } from "./peer-user.ts";
import { serverPath } from "./places.ts";

/** Where a broker listens, and for whom. */
export interface Door {
  readonly path: string;
  /** Number of the group that may come in; absent: the own user alone. */
  readonly group: number | undefined;
  /** Absent where users cannot be told apart; never with a group. */
  readonly userOf: PeerUser | undefined;
}

export interface DoorOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly group?: string | undefined;
}

/** Makes the folder of the socket, too. Fails with a sentence where a group is wanted that cannot be let in. */
export async function makeDoor({ env, group }: DoorOptions): Promise<Result<Door, string>> {
  const path = serverPath(env, group !== undefined);
  const userOf = peerUser(await loadBridge());
  const id = group === undefined ? ok(undefined) : groupId(group);
  if (!id.ok) return id;
  if (group !== undefined && userOf === undefined)
    return err("Users cannot be told apart: that takes Linux and the package koffi.");
  const folder = makeFolder(path, id.value);
  return folder.ok ? ok({ path, group: id.value, userOf }) : folder;
}

/** A group's number, by its name or the number itself. */
function groupId(name: string): Result<number, string> {
  if (/^\d+$/.test(name)) return ok(Number(name));
  const line = readFileSync("/etc/group", "utf8")
    .split("\n")
    .find((each) => each.startsWith(`${name}:`));
  const id = line?.split(":")[2];
  return id === undefined
    ? err(`There is no group \`${name}\` in /etc/group; its number is taken too.`)
    : ok(Number(id));
}

/** Makes the socket's folder, where there is none, for those who may use the socket; fails where they cannot reach it. */
function makeFolder(path: string, group: number | undefined): Result<void, string> {
  const folder = dirname(path);
  const made = mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (group === undefined) return ok(undefined);
  if (made !== undefined) {
    chownSync(folder, process.getuid?.() ?? 0, group);
    chmodSync(folder, 0o750);
  }
  const closed = closedTo(group, folder);
  if (closed === undefined) return ok(undefined);
  return err(
    `The group cannot reach ${path}: its members may not enter ${closed}. Name a socket in a folder that is open to them with FLOW_GPU_SOCKET.`,
  );
}

/** The innermost of a folder and those around it that a group may not enter. */
function closedTo(group: number, folder: string): string | undefined {
  const { mode, gid } = statSync(folder);
  if ((mode & (gid === group ? 0o010 : 0o001)) === 0) return folder;
  const around = dirname(folder);
  return around === folder ? undefined : closedTo(group, around);
}

/** Lets the own user connect, and a group where one is given. */
export function openSocket(path: string, group: number | undefined): void {
  if (group !== undefined) chownSync(path, process.getuid?.() ?? 0, group);
  chmodSync(path, group === undefined ? 0o600 : 0o660);
}
