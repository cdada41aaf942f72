// The backend `local`: attempts are processes of this machine. It decides nothing; how many run at
// once is the scheduler's business.

import {
  type AttemptKey,
  type Backend,
  type BackendContext,
  type BackendFailure,
  type Capabilities,
  type Handle,
  ok,
  type Result,
} from "@flow/core";
import type { LocalOptions } from "./options.ts";
import { Attempts } from "./process/attempts.ts";
import { capacity } from "./process/capacity.ts";
import { usesNoFolders } from "./process/job.ts";
import { type ProcessTable, systemTable } from "./process/table.ts";

const CAPABILITIES: Capabilities = {
  reattach: true,
  idempotentSubmit: true,
  requeues: false,
  sharedFilesystem: true,
  logs: "stream",
  gpus: false,
  local: true,
  maxBatch: 10_000,
  visibilityDelayMs: 0,
  pollIntervalMs: 100,
  pushes: true,
};

/** How it works on the machine; tests choose. */
export interface LocalManners {
  readonly table?: ProcessTable;
  /** See {@link Attempts}; on by default. */
  readonly sharesShells?: boolean;
}

/** Opens the backend. */
export function openLocal(
  context: BackendContext<LocalOptions>,
  { table = systemTable(), sharesShells = true }: LocalManners = {},
): Backend {
  const { clock, log, env } = context.ports;
  const attempts = new Attempts({ clock, log, env, table, sharesShells });
  const { cpusMilli, memoryBytes } = { ...capacity(), ...defined(context.options) };
  return {
    name: context.name,
    capabilities: CAPABILITIES,
    usesNoFolders,
    limits: () => ({ slots: undefined, cpusMilli, memoryBytes, pools: {} }),
    async submit(jobs, signal) {
      const answers = new Map<AttemptKey, Result<Handle, BackendFailure>>();
      for (const job of jobs) {
        if (signal.aborted) break;
        answers.set(job.key, await attempts.start(job));
      }
      return answers;
    },
    observe: async (handles) => ok(await attempts.observe(handles)),
    async cancel(handle, how, reason) {
      attempts.cancel(handle, how, reason);
      return ok(undefined);
    },
    reattach: async (requests) => ok(attempts.reattach(requests)),
    logs: (handle, stream, fromByte, signal) => attempts.logs(handle, stream, fromByte, signal),
    collect: async () => ok([]),
    onChange: (listener) => attempts.onChange(listener),
    [Symbol.asyncDispose]: () => attempts[Symbol.asyncDispose](),
  };
}

/** The members that are not undefined. */
function defined<T extends object>(record: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
