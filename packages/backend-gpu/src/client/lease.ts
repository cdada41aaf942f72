// Getting cards and giving them back.

import { err, ok, type Result } from "@flow/core";
import {
  type AcquireMessage,
  type BrokerMessage,
  type GrantedCard,
  type OutOfMemoryMessage,
  PROTOCOL,
  type VerdictMessage,
} from "../broker/messages.ts";
import { socketPath } from "../broker/places.ts";
import { MARK } from "../broker/processes.ts";
import type { OutOfMemory } from "../policy/out-of-memory.ts";
import { connect, type Connection } from "./connection.ts";
import { findBroker } from "./find-broker.ts";

export type LeaseRequest = Omit<AcquireMessage, "m" | "proto">;

/** How a job ended. */
export interface JobEnd {
  readonly succeeded: boolean;
  readonly outOfMemory: OutOfMemory | undefined;
}

export interface HeldLease {
  readonly id: string;
  readonly secret: string;
  readonly cards: readonly GrantedCard[];
  /** Bytes kept for it on each card. */
  readonly bytes: number;
  /** To hand down to the job: as long as anybody has it open, the lease lasts. */
  readonly descriptor: number | undefined;
  /** Tells how the job ended; undefined when the broker cannot be reached. */
  release(end: JobEnd): Promise<VerdictMessage | undefined>;
  /** Lets go without a word; the lease goes on while a process has its descriptor or mark. */
  close(): void;
}

export type AcquireFailure = BrokerMessage & { readonly m: "error" };

export interface AcquireOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onQueued?: (why: string, position: number) => void;
  readonly signal?: AbortSignal;
}

/** Waits until the broker grants the request. `connection` is the lease's own from then on. */
export function acquire(
  connection: Connection,
  request: LeaseRequest,
  { env, onQueued, signal }: AcquireOptions,
): Promise<Result<HeldLease, AcquireFailure>> {
  return new Promise((resolve) => {
    const finish = (result: Result<HeldLease, AcquireFailure>): void => {
      leave();
      signal?.removeEventListener("abort", abort);
      if (!result.ok) connection.close();
      resolve(result);
    };
    const abort = (): void => finish(err(failure("BUSY", "The request was withdrawn.")));
    const leave = connection.onMessage((message) => {
      if (message.m === "queued") onQueued?.(message.why, message.position);
      if (message.m === "error") finish(err(message));
      if (message.m === "granted") finish(ok(leaseOf(connection, message, socketPath(env))));
    });
    connection.onClose(() => finish(err(ENDED)));
    if (signal?.aborted === true) return abort();
    signal?.addEventListener("abort", abort);
    connection.send({ m: "acquire", proto: PROTOCOL, ...request });
  });
}

/** How often in a row a broker may end on somebody who waits. */
const MOST_ENDS = 5;

/** Why there is no lease: the broker refused it, or no broker can be had. */
export interface Denial {
  readonly isRefused: boolean;
  readonly message: string;
}

/**
 * Finds the broker, starts one where none listens, and waits for cards. Where a broker ends meanwhile
 * the next one is asked, and the place in the queue is kept.
 */
export async function obtain(
  request: LeaseRequest,
  options: AcquireOptions,
): Promise<Result<HeldLease, Denial>> {
  const from = performance.now();
  for (let ends = 1; ; ends++) {
    const connection = await findBroker(options.env);
    if (!connection.ok) return err({ isRefused: false, message: connection.error });
    const sinceFirstMs = (request.sinceFirstMs ?? 0) + performance.now() - from;
    const granted = await acquire(connection.value, { ...request, sinceFirstMs }, options);
    if (granted.ok) return granted;
    if (granted.error !== ENDED || ends === MOST_ENDS)
      return err({ isRefused: granted.error !== ENDED, message: granted.error.message });
  }
}

/** Connects to a lease that lives, so that its end can be told; undefined when there is none. */
export async function rebind(
  path: string,
  lease: string,
  secret: string,
): Promise<Connection | undefined> {
  const connected = await connect(path);
  if (!connected.ok) return undefined;
  connected.value.send({ m: "rebind", lease, secret });
  const answer = await connected.value.next("rebound");
  if (answer?.m === "rebound") return connected.value;
  connected.value.close();
  return undefined;
}

/** Tells the end of a lease over a connection that holds it. */
export async function release(
  connection: Connection,
  lease: string,
  { succeeded, outOfMemory }: JobEnd,
): Promise<VerdictMessage | undefined> {
  const told = outOfMemory === undefined ? {} : { outOfMemory: messageOf(outOfMemory) };
  connection.ref();
  connection.send({ m: "release", lease, succeeded, ...told });
  const answer = await connection.next("released");
  connection.close();
  return answer?.m === "released" ? answer.verdict : undefined;
}

/** Longest sign of missing memory that is sent on; the length of a message is limited. */
const SIGN_LENGTH = 500;

const messageOf = (found: OutOfMemory): OutOfMemoryMessage => ({
  strength: found.strength,
  line: found.line.slice(0, SIGN_LENGTH),
  ...(found.askedBytes === undefined ? {} : { askedBytes: found.askedBytes }),
  ...(found.usedBytes === undefined ? {} : { usedBytes: found.usedBytes }),
});

const failure = (code: AcquireFailure["code"], message: string): AcquireFailure => ({
  m: "error",
  code,
  message,
});

const ENDED: AcquireFailure = failure("BUSY", "The GPU broker has ended.");

function leaseOf(
  connection: Connection,
  granted: BrokerMessage & { m: "granted" },
  path: string,
): HeldLease {
  let held = connection;
  let isReleased = false;
  // A broker that was started again finds the lease in its journal; this connection takes it up.
  const watch = (): void => {
    if (isReleased) return;
    void reconnect(path, granted, () => isReleased).then((found) => {
      if (found === undefined) return;
      held = found;
      held.unref();
      held.onClose(watch);
    });
  };
  connection.onClose(watch);
  connection.unref();
  return {
    id: granted.lease,
    secret: granted.secret,
    cards: granted.cards,
    bytes: granted.bytes,
    get descriptor() {
      return connection.descriptor;
    },
    release: (end) => {
      isReleased = true;
      return release(held, granted.lease, end);
    },
    close: () => {
      isReleased = true;
      held.close();
    },
  };
}

/** How long a restarted broker is waited for. */
const REBIND_MS = 15_000;

async function reconnect(
  path: string,
  { lease, secret }: { readonly lease: string; readonly secret: string },
  isOver: () => boolean,
): Promise<Connection | undefined> {
  const deadline = performance.now() + REBIND_MS;
  while (performance.now() < deadline && !isOver()) {
    const found = await rebind(path, lease, secret);
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 200).unref());
  }
  return undefined;
}

/**
 * What a job must see: its cards, and the switches that keep frameworks from taking a whole card,
 * those only where `own` (the environment it would have otherwise) does not set them.
 */
export function jobEnvironment(
  lease: Pick<HeldLease, "id" | "cards" | "bytes">,
  own: Readonly<Record<string, string | undefined>>,
  options: { readonly ids: "uuid" | "index"; readonly socket: string },
): Readonly<Record<string, string>> {
  const names = lease.cards.map(({ id, index }) => (options.ids === "uuid" ? id : String(index)));
  const growth = Object.entries(GROWTH).filter(([name]) => own[name] === undefined);
  return {
    ...Object.fromEntries(growth),
    [MARK]: lease.id,
    FLOW_GPU_SOCKET: options.socket,
    FLOW_GPUS: lease.cards.map(({ index }) => index).join(","),
    FLOW_GPU_COUNT: String(lease.cards.length),
    FLOW_GPU_MEM_MB: String(Math.floor(lease.bytes / 2 ** 20)),
    CUDA_DEVICE_ORDER: "PCI_BUS_ID",
    CUDA_VISIBLE_DEVICES: names.join(","),
    NVIDIA_VISIBLE_DEVICES: names.join(","),
  };
}

/** A job without a GPU must not find one by itself. */
export const NO_GPU_ENVIRONMENT: Readonly<Record<string, string>> = {
  CUDA_VISIBLE_DEVICES: "",
  NVIDIA_VISIBLE_DEVICES: "void",
  FLOW_GPUS: "",
  FLOW_GPU_COUNT: "0",
  FLOW_GPU_MEM_MB: "0",
};

const GROWTH: Readonly<Record<string, string>> = {
  TF_FORCE_GPU_ALLOW_GROWTH: "true",
  XLA_PYTHON_CLIENT_PREALLOCATE: "false",
};
