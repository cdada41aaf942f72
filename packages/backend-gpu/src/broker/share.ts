// Who may reach the broker's socket: its own user, or a group of users. Files decide who may knock;
// the kernel then tells who did.

import { chmodSync, chownSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { err, ok, type Result } from "@flow/core";

/** A group's number, by its name or the number itself; fails with a sentence. */
export function groupId(name: string): Result<number, string> {
  if (/^\d+$/.test(name)) return ok(Number(name));
  const line = readFileSync("/etc/group", "utf8")
    .split("\n")
    .find((each) => each.startsWith(`${name}:`));
  const id = line?.split(":")[2];
  return id === undefined
    ? err(`There is no group \`${name}\` in /etc/group; its number is taken too.`)
    : ok(Number(id));
}

/** Makes the socket's folder, where there is none, for those who may use the socket. */
export function makeSocketFolder(path: string, group: number | undefined): void {
  const folder = dirname(path);
  const made = mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (made === undefined || group === undefined) return;
  chownSync(folder, process.getuid?.() ?? 0, group);
  chmodSync(folder, 0o750);
}

/** Lets the own user connect, and a group where one is given. */
export function openSocket(path: string, group: number | undefined): void {
  if (group !== undefined) chownSync(path, process.getuid?.() ?? 0, group);
  chmodSync(path, group === undefined ? 0o600 : 0o660);
}
