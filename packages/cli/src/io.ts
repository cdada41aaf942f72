// Everything a command sees of the process it runs in, so that tests can run it without one.

/** A stream to a terminal, a pipe or a file. Writing never throws: a reader that has gone away is quiet. */
export interface Output {
  /** False when the stream wants the writer to wait for {@link drained}. */
  write(data: string | Uint8Array): boolean;
  /** Resolves when more may be written, at once when it may already or the stream is closed. */
  drained(): Promise<void>;
  readonly isTTY: boolean;
  /** Nobody reads any more. */
  readonly isClosed: boolean;
  /** Size in characters, as of now; undefined when it is no terminal. */
  readonly columns: number | undefined;
  readonly rows: number | undefined;
  /** Calls back when the size changes; returns the function that ends it. */
  onResize(listener: () => void): () => void;
}

export type HandledSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  readonly cwd: string;
  /**
   * Calls back for each of these signals instead of letting them end the process; returns the
   * function that gives them back. A terminal that vanishes counts as SIGHUP.
   */
  onSignal(listener: (signal: HandledSignal) => void): () => void;
  /** Puts a question to the person; undefined when nobody can answer (stdin is no terminal). */
  ask(question: string): Promise<string | undefined>;
}
