// A batch cluster as a backend: attempts are jobs of a scheduler, their files lie on a file system
// that the nodes share.

import {
  attemptHandle,
  type Backend,
  type BackendContext,
  type Capabilities,
  err,
  followFile,
  type Handle,
  type Job,
  ok,
  parseAttemptHandle,
  type StopReason,
  type Task,
} from "@flow/core";
import { Accounts } from "./accounts.ts";
import {
  askToKill,
  askToStop,
  close,
  readIncarnation,
  readMembership,
  tellRunner,
} from "./attempt/files.ts";
import { folderOf } from "./folder.ts";
import { removeOver } from "./housekeeping.ts";
import { Observer } from "./observer.ts";
import { Pilots } from "./pilots.ts";
import { Queue } from "./queue.ts";
import { refuseApart, refuseHere } from "./refuse.ts";
import type { Scheduler } from "./schedulers/scheduler.ts";
import { putScripts } from "./scripts.ts";
import { RemoteSite } from "./site/remote-site.ts";
import { sharedSite } from "./site/site.ts";
import { Submitter } from "./submitter.ts";
import type { Transport } from "./transport/transport.ts";

/** Pause between two questions whether an attempt whose output is followed has ended. */
const ASK_MS = 500;

const NO_LIMITS = { slots: undefined, cpusMilli: undefined, memoryBytes: undefined, pools: {} };

const capabilitiesOf = (pollIntervalMs: number, sharedFilesystem: boolean): Capabilities => ({
  reattach: true,
  idempotentSubmit: true,
  requeues: true,
  sharedFilesystem,
  logs: "stream",
  gpus: true,
  local: false,
  maxBatch: 10_000,
  visibilityDelayMs: 5000,
  pollIntervalMs,
  pushes: false,
});

export interface ClusterOptions {
  /** The plug-in's type, which a task's own options may be named after. */
  readonly type: string;
  readonly scheduler: Scheduler;
  readonly transport: Transport;
  /** The project's folder on the cluster, absolute, where the nodes do not see the project itself. */
  readonly base: string | undefined;
  readonly pollMs: number;
  readonly pilots: { readonly most: number; readonly timeMs: number; readonly idleMs: number };
  /** The time limit of a pilot for this job; undefined when it is to be a job of its own. */
  pilotTime(job: Job): number | undefined;
}

/** Opens the backend. It writes under `<state>/backends/<name>` and in the attempts' directories. */
export function openCluster(
  context: Omit<BackendContext<unknown>, "options">,
  options: ClusterOptions,
): Backend {
  const { type, scheduler, transport, pollMs } = options;
  const { clock } = context.ports;
  const parts = assemble(context, options);
  const { site, queue, pilots, submitter, observer } = parts;
  const optionsOf = ({ backendOptions }: Task) => ({
    ...(backendOptions[type] as object | undefined),
    ...(backendOptions[context.name] as object | undefined),
  });
  const refusedThere = refuseHere(scheduler, transport, optionsOf);
  return {
    name: context.name,
    capabilities: capabilitiesOf(pollMs, site.isShared),
    refuse: async (task) =>
      (site.isShared ? undefined : refuseApart(task, optionsOf(task))) ?? refusedThere(task),
    limits: () => NO_LIMITS,
    submit: (jobs, signal) => submitter.submit(jobs, signal),
    observe: async (handles) => ok(await observer.observe(handles)),
    async cancel(handle, how, reason) {
      const attempt = attemptToStop(handle);
      if (attempt === undefined) return ok(undefined);
      requestStop(attempt, how, reason, clock.wall());
      await site.tell(attempt);
      const membership = readMembership(attempt);
      if (membership?.pilot === true) {
        if (pilots.drop(membership)) return ok(undefined);
        tellRunner(attempt, membership.generation);
        if (how === "graceful") return ok(undefined);
      }
      const id = await observer.jobId(handle);
      const trouble = id === undefined ? undefined : await queue.cancel(id, how);
      return trouble === undefined
        ? ok(undefined)
        : err({ type: "unavailable", message: trouble, retryAfterMs: undefined });
    },
    async reattach(requests) {
      const found = new Map<(typeof requests)[number]["key"], Handle>();
      const wanted = requests.flatMap(({ key, attempt }) => {
        const membership = readMembership(attempt);
        return membership === undefined ? [] : [{ key, attempt, membership }];
      });
      const present = await submitter.search(wanted);
      if (typeof present === "string")
        return err({ type: "unavailable", message: present, retryAfterMs: undefined });
      for (const { key, attempt, membership } of wanted) {
        const fenced =
          !present.has(attempt) && (await site.fence(attempt, membership.generation, 0));
        if (fenced === undefined)
          return err({ type: "unavailable", message: UNANSWERED, retryAfterMs: undefined });
        if (!fenced) found.set(key, attemptHandle(key, attempt));
      }
      for (const { key, attempt } of requests) if (!found.has(key)) close(attempt);
      return ok(found);
    },
    logs(handle, stream, fromByte, signal) {
      const parsed = parseAttemptHandle(handle);
      if (parsed === undefined) return nothing();
      const { key, attempt } = parsed;
      const isOver = async (): Promise<boolean> => {
        const answer = await observer.observe(new Map([[key, handle]]));
        return answer.get(key)?.type === "ended";
      };
      return followFile(`${attempt}/${stream}`, fromByte, isOver, clock, signal, ASK_MS);
    },
    collect: async () => ok([]),
    async [Symbol.asyncDispose]() {
      await tidyUp(parts);
      await transport[Symbol.asyncDispose]();
    },
  };
}

function assemble(
  context: Omit<BackendContext<unknown>, "options">,
  { scheduler, transport, base, pilots: limits, pilotTime }: ClusterOptions,
) {
  const { clock, env } = context.ports;
  const folder = folderOf(context);
  const scripts = putScripts(folder, scheduler.nodeScript);
  const queue = new Queue(scheduler, transport, clock);
  const { root, stateDirectory: state, captureCode } = context;
  const site =
    base === undefined
      ? sharedSite(folder, scripts)
      : new RemoteSite({ transport, base, root, state, folder, scripts, captureCode });
  const secrets = (names: readonly string[]) =>
    Object.fromEntries(
      names.flatMap((each) => {
        const value = env[each];
        return value === undefined ? [] : [[each, value] as const];
      }),
    );
  const shared = { scheduler, transport, queue, clock, folder, secrets };
  const pilots = new Pilots({ ...shared, scripts, ...limits });
  const submitter = new Submitter({ ...shared, site, pilots, pilotTime });
  const accounts = new Accounts({ scheduler, transport, clock });
  const observer = new Observer({ queue, clock, folder, pilots, site, accounts });
  return { folder, site, queue, pilots, submitter, observer, accounts };
}

/** Leaves nothing behind that the run needed and nobody needs after it. */
async function tidyUp({
  observer,
  pilots,
  accounts,
  folder,
}: ReturnType<typeof assemble>): Promise<void> {
  const over = observer.endings.complete(folder);
  await pilots.dismiss(over);
  removeOver(folder, over);
  await accounts.settle();
}

/** The attempt's directory, unless there is nothing to stop any more. */
function attemptToStop(handle: Handle): string | undefined {
  const parsed = parseAttemptHandle(handle);
  const membership = parsed && readMembership(parsed.attempt);
  if (parsed === undefined || membership === undefined) return undefined;
  const { exit, requeued } = readIncarnation(parsed.attempt, membership.generation, undefined);
  return exit !== undefined && !requeued ? undefined : parsed.attempt;
}

function requestStop(
  attempt: string,
  how: "graceful" | "forced",
  reason: StopReason,
  wall: number,
): void {
  if (how === "forced") askToKill(attempt);
  askToStop(attempt, reason, wall);
}

const UNANSWERED = "the cluster does not answer";

async function* nothing(): AsyncIterable<Uint8Array> {}
