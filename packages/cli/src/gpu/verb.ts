// What the verbs of `flow gpu` have in common: their arguments, and asking the broker one thing.

import { type ParseArgsConfig, parseArgs } from "node:util";
import { type BrokerMessage, connect, socketPath } from "@flow/backend-gpu/client";
import { err, ok, type Result } from "@flow/core";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";

/** A verb with the arguments that follow it. Expected trouble is printed and becomes the exit code. */
export type GpuVerb = (args: readonly string[], io: Io) => Promise<ExitCode>;

export interface VerbArguments {
  readonly positionals: readonly string[];
  /** Positional arguments after `--`; undefined without it. */
  readonly after: readonly string[] | undefined;
  has(flag: string): boolean;
  value(option: string): string | undefined;
}

/** Reads a verb's arguments; undefined after the problem has been printed. */
export function readArguments(
  name: string,
  args: readonly string[],
  options: NonNullable<ParseArgsConfig["options"]>,
  io: Io,
): VerbArguments | undefined {
  const cut = args.indexOf("--");
  const own = cut === -1 ? args : args.slice(0, cut);
  try {
    const { values, positionals } = parseArgs({
      args: [...own],
      options,
      allowPositionals: true,
      strict: true,
    });
    const given = values as Readonly<Record<string, string | boolean | undefined>>;
    return {
      positionals,
      after: cut === -1 ? undefined : args.slice(cut + 1),
      has: (flag) => given[flag] === true,
      value: (option) => {
        const value = given[option];
        return typeof value === "string" ? value : undefined;
      },
    };
  } catch (error) {
    const [problem] = (error as Error).message.split(". ");
    io.stderr.write(`flow: ${problem}; see \`flow gpu --help\` for \`flow gpu ${name}\`\n`);
    return undefined;
  }
}

/** Asks the broker that runs; none is started. Fails with a sentence. */
export async function askBroker<Kind extends BrokerMessage["m"]>(
  io: Io,
  message: Parameters<
    Extract<Awaited<ReturnType<typeof connect>>, { ok: true }>["value"]["send"]
  >[0],
  kind: Kind,
): Promise<Result<Extract<BrokerMessage, { readonly m: Kind }>, string>> {
  const path = socketPath(io.env);
  const connected = await connect(path);
  if (!connected.ok) return err(`no GPU broker is running (${path}: ${connected.error})`);
  const { value: connection } = connected;
  connection.send(message);
  const answer = await connection.next(kind);
  // One that has let go of the connection has written everything and can be followed by another.
  if (message.m === "stop" && answer?.m === "done")
    await new Promise<void>((resolve) => connection.onClose(resolve));
  connection.close();
  if (answer === undefined) return err("the GPU broker ended without an answer");
  if (answer.m === "error") return err(answer.message);
  return ok(answer as Extract<BrokerMessage, { readonly m: Kind }>);
}

/** Says what is wrong outside. */
export function outside(io: Io, problem: string): ExitCode {
  io.stderr.write(`flow: ${problem}\n`);
  return EXIT.outside;
}

/** Sends one message that is answered by `done`. */
export async function order(io: Io, message: Parameters<typeof askBroker>[1]): Promise<ExitCode> {
  const answer = await askBroker(io, message, "done");
  return answer.ok ? EXIT.ok : outside(io, answer.error);
}
