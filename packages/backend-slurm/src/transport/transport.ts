// How commands reach the machine on which jobs are submitted.

/** What became of a command. */
export interface CommandResult {
  /** Undefined when there was no answer: it may have done its work, part of it, or nothing. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Transport extends AsyncDisposable {
  /**
   * Never throws. `input` is the command's standard input, `env` is added to its environment.
   *
   * @default env {}
   */
  run(
    argv: readonly string[],
    input: string,
    env?: Readonly<Record<string, string>>,
  ): Promise<CommandResult>;
  /**
   * Runs a shell text with bytes as its standard input and output; its `stdout` comes by `output`.
   * Never throws. The text may be seen in process lists: it holds no secret.
   */
  pipe(
    script: string,
    input: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    output: (chunk: Buffer) => void,
  ): Promise<Omit<CommandResult, "stdout">>;
}

/** Longer than a dead controller takes to be given up by SLURM's own commands. */
export const COMMAND_TIMEOUT_MS = 60_000;

/** The first line a person should see of a command that failed. */
export function complaint({ code, stderr, stdout }: CommandResult): string {
  const line = `${stderr}\n${stdout}`.split("\n").find((text) => text.trim() !== "");
  return (
    line?.trim() ?? (code === undefined ? "there was no answer" : `it ended with code ${code}`)
  );
}
