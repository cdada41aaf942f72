// A client's connection to the broker: lines out, lines in.

import { connect as connectSocket, type Socket } from "node:net";
import { err, ok, type Result } from "@flow/core";
import type { BrokerMessage, ClientMessage } from "../broker/messages.ts";
import { descriptorOf } from "../broker/peer-user.ts";

export interface Connection {
  /** The number the kernel knows it by, to hand it down to a job; undefined when it has closed. */
  readonly descriptor: number | undefined;
  send(message: ClientMessage): void;
  /** The next message of one of these kinds, or an error; undefined when the broker has gone. */
  next(...kinds: readonly BrokerMessage["m"][]): Promise<BrokerMessage | undefined>;
  /** Calls back for every message; returns the function that ends it. */
  onMessage(listener: (message: BrokerMessage) => void): () => void;
  onClose(listener: () => void): void;
  /** Does not keep this process running, until {@link ref}. */
  unref(): void;
  ref(): void;
  close(): void;
}

/** Connects to a broker that listens; fails with the system's code (`ENOENT`, `ECONNREFUSED`). */
export function connect(path: string): Promise<Result<Connection, string>> {
  return new Promise((resolve) => {
    const socket = connectSocket(path);
    const onError = (error: NodeJS.ErrnoException): void => resolve(err(error.code ?? "EIO"));
    socket.once("error", onError);
    socket.once("connect", () => {
      socket.off("error", onError);
      resolve(ok(connectionOf(socket)));
    });
  });
}

function connectionOf(socket: Socket): Connection {
  const listeners = new Set<(message: BrokerMessage) => void>();
  const closed = new Set<() => void>();
  let isClosed = false;
  let rest = "";
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    rest += chunk;
    for (let end = rest.indexOf("\n"); end !== -1; end = rest.indexOf("\n")) {
      const message = JSON.parse(rest.slice(0, end)) as BrokerMessage;
      rest = rest.slice(end + 1);
      for (const listener of [...listeners]) listener(message);
    }
  });
  // Whatever breaks a connection also closes it.
  socket.on("error", () => {});
  socket.once("close", () => {
    isClosed = true;
    for (const listener of closed) listener();
  });
  const onMessage = (listener: (message: BrokerMessage) => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return {
    get descriptor() {
      return descriptorOf(socket);
    },
    send: (message) => {
      if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
    },
    next: (...kinds) =>
      new Promise((resolve) => {
        if (isClosed) return resolve(undefined);
        const leave = onMessage((message) => {
          if (message.m !== "error" && !kinds.includes(message.m)) return;
          leave();
          resolve(message);
        });
        closed.add(() => resolve(undefined));
      }),
    onMessage,
    onClose: (listener) => {
      if (isClosed) listener();
      else closed.add(listener);
    },
    unref: () => socket.unref(),
    ref: () => socket.ref(),
    close: () => socket.destroy(),
  };
}
