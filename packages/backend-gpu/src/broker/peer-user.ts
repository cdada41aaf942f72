// Who is at the other end of a unix socket, as the kernel tells. Node has no call for it.

import type { Socket } from "node:net";
import type { Bridge } from "../reader/bridge.ts";

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

/** The process that opened a connection, and its user; undefined where it cannot be told. */
export type PeerUser = (
  socket: Socket,
) => { readonly pid: number; readonly uid: number } | undefined;

/** Undefined where users cannot be told apart at all. */
export function peerUser(bridge: Bridge | undefined): PeerUser | undefined {
  if (bridge === undefined || process.platform !== "linux") return undefined;
  const types = ["int", "int", "int", "void *", "void *"];
  const getsockopt = bridge.load(null).func("getsockopt", "int", types);
  return (socket) => {
    const descriptor = descriptorOf(socket);
    if (descriptor === undefined) return undefined;
    const credentials = Buffer.alloc(12);
    const length = Buffer.from(Uint32Array.of(credentials.length).buffer);
    const code = getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, credentials, length);
    return code === 0
      ? { pid: credentials.readInt32LE(0), uid: credentials.readUInt32LE(4) }
      : undefined;
  };
}

/** The number the kernel knows a connection by. */
export function descriptorOf(socket: Socket): number | undefined {
  const { _handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } | null };
  return _handle?.fd !== undefined && _handle.fd >= 0 ? _handle.fd : undefined;
}
