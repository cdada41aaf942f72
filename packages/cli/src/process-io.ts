// The Io of the real process.

import type { HandledSignal, Io, Output } from "./io.ts";

const SIGNALS: readonly HandledSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** Errors of a stream whose other end is gone: a closed pipe, a vanished terminal. */
const GONE: ReadonlySet<string | undefined> = new Set(["EPIPE", "EIO", "ERR_STREAM_DESTROYED"]);

export function processIo(): Io {
  const hangUp = new Set<() => void>();
  /** A run goes on whatever becomes of its output; a list that cannot be written is an error. */
  let isRun = false;
  const onVanished = (): void => {
    for (const listener of hangUp) listener();
  };
  const onFailure = (error: NodeJS.ErrnoException): void => {
    if (!isRun) void giveUp(error, io);
  };
  const io: Io = {
    stdout: output(process.stdout, onVanished, onFailure),
    stderr: output(process.stderr, onVanished, onFailure),
    env: process.env,
    get cwd() {
      return process.cwd();
    },
    onSignal: (listener) => {
      isRun = true;
      const handlers = SIGNALS.map((signal) => ({ signal, handle: () => listener(signal) }));
      const vanished = (): void => listener("SIGHUP");
      for (const { signal, handle } of handlers) process.on(signal, handle);
      hangUp.add(vanished);
      return () => {
        for (const { signal, handle } of handlers) process.off(signal, handle);
        hangUp.delete(vanished);
      };
    },
    ask,
  };
  return io;
}

async function giveUp(error: NodeJS.ErrnoException, io: Io): Promise<void> {
  const { reportCrash } = await import("./crash.ts");
  process.exit(reportCrash(Object.assign(error, { path: "the output" }), io));
}

function output(
  stream: NodeJS.WriteStream,
  onVanished: () => void,
  onFailure: (error: NodeJS.ErrnoException) => void,
): Output {
  let isClosed = false;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (!GONE.has(error.code)) onFailure(error);
    if (!isClosed && error.code === "EIO") onVanished();
    isClosed = true;
  });
  return {
    write: (data) => isClosed || stream.write(data),
    drained: () =>
      isClosed || !stream.writableNeedDrain
        ? Promise.resolve()
        : new Promise((resolve) => {
            const settle = (): void => {
              stream.off("drain", settle).off("error", settle);
              resolve();
            };
            stream.on("drain", settle).on("error", settle);
          }),
    isTTY: stream.isTTY,
    get isClosed() {
      return isClosed;
    },
    get columns() {
      return stream.isTTY ? knownSize(stream.columns) : undefined;
    },
    get rows() {
      return stream.isTTY ? knownSize(stream.rows) : undefined;
    },
    onResize: (listener) => {
      stream.on("resize", listener);
      return () => stream.off("resize", listener);
    },
  };
}

/** A terminal made by a program may say that it has 0 columns: nobody has told it its size. */
export const knownSize = (size: number | undefined): number | undefined => size || undefined;

async function ask(question: string): Promise<string | undefined> {
  if (!process.stdin.isTTY) return undefined;
  const { createInterface } = await import("node:readline/promises");
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await prompt.question(question);
  } finally {
    prompt.close();
  }
}
