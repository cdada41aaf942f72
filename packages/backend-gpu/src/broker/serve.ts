// The broker as a process: its socket, its ticks, its end.

import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { err, type Log, nodeLocks, ok, type Result } from "@flow/core";
import { DEFAULT_SETTINGS, type Settings } from "../policy/model.ts";
import { openReader } from "../reader/reader.ts";
import { Broker, type Peer } from "./broker.ts";
import { type BrokerMessage, MAX_LINE, parseClientMessage } from "./messages.ts";
import { stateDirectory } from "./places.ts";
import { systemProcesses, userName } from "./processes.ts";
import { type Door, makeDoor, openSocket } from "./share.ts";
import { forgetStart, noteStart } from "./start-note.ts";

export interface ServeOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  readonly settings?: Partial<Settings>;
  /** Name or number of a group whose members may use the broker too; absent: its own user alone. */
  readonly group?: string | undefined;
  /** Options of `flow gpu start` that say all this, for the next broker when this one dies. @default none */
  readonly startOptions?: readonly string[];
  /** Ends after so long without leases and requests; absent: never. */
  readonly idleExitMs: number | undefined;
}

export interface Serving {
  readonly path: string;
  /** Resolves when the broker has ended. */
  readonly ended: Promise<void>;
  stop(): void;
}

/** How often those who wait are told why. */
const TELL_MS = 1000;
const BUSY_MS = 1000;
const WARMING_MS = 250;
const IDLE_MS = 5000;

/** Starts a broker; fails with a sentence, among others when one is running already. */
export async function serve(options: ServeOptions): Promise<Result<Serving, string>> {
  const door = await makeDoor(options);
  if (!door.ok) return door;
  const { path } = door.value;
  const state = stateDirectory(options.env);
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const lock = nodeLocks.take(`${path}.lock`, String(process.pid));
  if (lock === undefined) return err(`A GPU broker is already listening on ${path}.`);
  const opened = await openReader(options);
  if (!opened.ok) {
    lock.release();
    return opened;
  }
  const reader = opened.value;
  const ended = withResolvers();
  const broker = new Broker({
    reader,
    settings: { ...DEFAULT_SETTINGS, ...options.settings },
    processes: systemProcesses(),
    state,
    boot: bootId(),
    log: options.log,
    now: () => performance.now(),
    stop: () => stop(),
  });
  await broker.look();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    attend(socket, broker, door.value);
  });
  let timer: NodeJS.Timeout | undefined;
  const telling = setInterval(() => broker.tellWaiting(), TELL_MS);
  let isStopped = false;
  const stop = (): void => {
    if (isStopped) return;
    isStopped = true;
    clearTimeout(timer);
    clearInterval(telling);
    broker.close();
    server.close();
    for (const socket of sockets) socket.end();
    rmSync(path, { force: true });
    forgetStart(options.env);
    lock.release();
    void reader[Symbol.asyncDispose]().then(() => ended.resolve());
  };
  const tick = async (): Promise<void> => {
    await broker.look();
    if (isStopped) return;
    broker.again();
    const isIdle = broker.held.size + broker.queued.size === 0;
    const { idleExitMs } = options;
    if (isIdle && idleExitMs !== undefined && performance.now() - broker.idleSince > idleExitMs)
      return stop();
    const pauseMs = isIdle ? IDLE_MS : broker.isWarming ? WARMING_MS : BUSY_MS;
    timer = setTimeout(() => void tick(), pauseMs);
  };
  // The lock is ours, so whatever lies there belongs to a broker that is dead.
  rmSync(path, { force: true });
  await listen(server, door.value);
  noteStart(options.env, path, options.startOptions ?? []);
  timer = setTimeout(() => void tick(), WARMING_MS);
  return ok({ path, ended: ended.promise, stop });
}

/** Reads a client's lines and writes the answers. */
function attend(socket: Socket, broker: Broker, { userOf, group }: Door): void {
  const { uid, pid } = userOf?.(socket) ?? {};
  if (uid === undefined && group !== undefined) return void socket.destroy();
  const own = process.getuid?.() ?? 0;
  const peer: Peer = {
    user: userName(uid ?? own),
    pid,
    isOwner: uid === undefined || uid === own || uid === 0,
    send: (message) => {
      if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
    },
  };
  let rest = "";
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    rest += chunk;
    for (let end = rest.indexOf("\n"); end !== -1; end = rest.indexOf("\n")) {
      const line = rest.slice(0, end);
      rest = rest.slice(end + 1);
      if (line.length > MAX_LINE) return refuse(socket, "The line is longer than 16 KiB.");
      const message = parseClientMessage(line);
      if (typeof message === "string") return refuse(socket, message);
      broker.receive(peer, message);
    }
    if (rest.length > MAX_LINE) refuse(socket, "The line is longer than 16 KiB.");
  });
  socket.on("error", () => {});
  socket.once("close", () => broker.left(peer));
}

function refuse(socket: Socket, message: string): void {
  const answer: BrokerMessage = { m: "error", code: "BAD_REQUEST", message };
  socket.end(`${JSON.stringify(answer)}\n`);
}

function listen(server: Server, { path, group }: Door): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      openSocket(path, group);
      resolve();
    });
  });
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}
