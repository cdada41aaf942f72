// `flow gpu start`: the broker, in the background or (`--foreground`) here.

import { serve, socketPath, startBroker } from "@flow/backend-gpu/client";
import { type Log, parseDuration } from "@flow/core";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { type GpuVerb, outside, readArguments, type VerbArguments } from "./verb.ts";

const IDLE_MS = 10 * 60_000;

export const verb: GpuVerb = async (args, io) => {
  const parsed = readArguments(
    "start",
    args,
    {
      foreground: { type: "boolean" },
      careful: { type: "boolean" },
      idle: { type: "string" },
      group: { type: "string" },
    },
    io,
  );
  if (parsed === undefined) return EXIT.usage;
  if (parsed.has("foreground")) return serveHere(parsed, io);
  const failure = await startBroker(io.env, optionsOf(parsed));
  if (failure !== undefined) return outside(io, failure);
  io.stderr.write(`the GPU broker listens on ${socketPath(io.env)}\n`);
  return EXIT.ok;
};

const optionsOf = (parsed: VerbArguments): readonly string[] => [
  ...(parsed.has("careful") ? ["--careful"] : []),
  ...["idle", "group"].flatMap((name) => {
    const value = parsed.value(name);
    return value === undefined ? [] : [`--${name}`, value];
  }),
];

async function serveHere(parsed: VerbArguments, io: Io): Promise<ExitCode> {
  const group = parsed.value("group");
  const settings = { careful: parsed.has("careful") };
  // Not everybody who may use a shared broker may start it, so it stays.
  const idle = parsed.value("idle") ?? (group === undefined ? undefined : "never");
  const idleExitMs =
    idle === undefined ? IDLE_MS : idle === "never" ? undefined : parseDuration(idle);
  if (idle !== undefined && idle !== "never" && idleExitMs === undefined) {
    io.stderr.write(`flow: --idle takes a time such as \`10m\`, or \`never\`, not \`${idle}\`\n`);
    return EXIT.usage;
  }
  const startOptions = optionsOf(parsed);
  const serving = await serve({
    env: io.env,
    log: logTo(io),
    settings,
    group,
    startOptions,
    idleExitMs,
  });
  if (!serving.ok) {
    // The one who starts it reads the first line to know how it went.
    io.stdout.write(`${serving.error}\n`);
    return EXIT.outside;
  }
  io.stdout.write(`listening on ${serving.value.path}\n`);
  const release = io.onSignal((signal) => {
    if (signal !== "SIGHUP") serving.value.stop();
  });
  await serving.value.ended;
  release();
  return EXIT.ok;
}

const logTo = (io: Io): Log => ({
  debug: () => {},
  info: (message) => void io.stderr.write(`${message}\n`),
  warn: (message) => void io.stderr.write(`${message}\n`),
});
