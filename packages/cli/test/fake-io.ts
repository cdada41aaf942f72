// An Io without a process: what is written is kept, signals and answers come from the test.

import type { HandledSignal, Io, Output } from "../src/io.ts";

export interface FakeOutput extends Output {
  readonly text: string;
  resize(columns: number, rows: number): void;
  close(): void;
}

export interface FakeIo extends Io {
  readonly stdout: FakeOutput;
  readonly stderr: FakeOutput;
  signal(signal: HandledSignal): void;
}

export interface FakeIoOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Size of the terminal that stderr is; absent: no terminal. */
  readonly terminal?: readonly [columns: number, rows: number];
  readonly answer?: string;
}

export function fakeIo(options: FakeIoOptions = {}): FakeIo {
  const listeners = new Set<(signal: HandledSignal) => void>();
  return {
    stdout: fakeOutput(undefined),
    stderr: fakeOutput(options.terminal),
    env: options.env ?? {},
    cwd: options.cwd ?? "/project",
    onSignal: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    ask: () => Promise.resolve(options.answer),
    signal: (signal) => {
      for (const listener of listeners) listener(signal);
    },
  };
}

export function fakeOutput(terminal: readonly [number, number] | undefined): FakeOutput {
  const chunks: string[] = [];
  const resizers = new Set<() => void>();
  let size = terminal;
  let isClosed = false;
  return {
    write: (data) => {
      if (!isClosed) chunks.push(typeof data === "string" ? data : Buffer.from(data).toString());
      return true;
    },
    drained: () => Promise.resolve(),
    isTTY: terminal !== undefined,
    get isClosed() {
      return isClosed;
    },
    get columns() {
      return size?.[0];
    },
    get rows() {
      return size?.[1];
    },
    onResize: (listener) => {
      resizers.add(listener);
      return () => resizers.delete(listener);
    },
    get text() {
      return chunks.join("");
    },
    resize: (columns, rows) => {
      size = [columns, rows];
      for (const listener of resizers) listener();
    },
    close: () => {
      isClosed = true;
    },
  };
}
