// Where the broker is found and where it keeps what it knows.

import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** A broker for several users, started by the administrator, listens here. */
const SYSTEM_SOCKET = "/run/flow-gpu/gpu.sock";

/** The socket: named, the machine's own, else this user's. */
export function socketPath(env: Environment): string {
  const named = env["FLOW_GPU_SOCKET"];
  if (named !== undefined && named !== "") return named;
  if (existsSync(SYSTEM_SOCKET)) return SYSTEM_SOCKET;
  const runtime = env["XDG_RUNTIME_DIR"];
  return runtime !== undefined && runtime !== ""
    ? join(runtime, "flow", "gpu.sock")
    : join(stateDirectory(env), "gpu.sock");
}

/** Where a broker listens: one for several users that the administrator starts, for the machine. */
export function serverPath(env: Environment, isShared: boolean): string {
  const isNamed = (env["FLOW_GPU_SOCKET"] ?? "") !== "";
  return isShared && !isNamed && process.getuid?.() === 0 ? SYSTEM_SOCKET : socketPath(env);
}

/** The folder of journal and profiles. */
export function stateDirectory(env: Environment): string {
  const named = env["FLOW_GPU_STATE"];
  if (named !== undefined && named !== "") return named;
  const state = env["XDG_STATE_HOME"] ?? join(env["HOME"] ?? homedir(), ".local", "state");
  return join(state, "flow", "gpu");
}
