// `flow gpu start`: the broker, in the background or (`--foreground`) here.

import { serve, socketPath, startBroker } from "@flow/backend-gpu/client";
import { type Log, parseDuration } from "@flow/core";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { type GpuVerb, outside, readArguments } from "./verb.ts";

const IDLE_MS = 10 * 60_000;

export const verb: GpuVerb = async (args, io) => {
  const parsed = readArguments(
    "start",
    args,
    { foreground: { type: "boolean" }, careful: { type: "boolean" }, idle: { type: "string" } },
    io,
  );
  if (parsed === undefined) return EXIT.usage;
  if (parsed.has("foreground")) return serveHere(parsed.has("careful"), parsed.value("idle"), io);
  const extra = [
    ...(parsed.has("careful") ? ["--careful"] : []),
    ...(parsed.value("idle") === undefined ? [] : ["--idle", parsed.value("idle") ?? ""]),
  ];
  const failure = await startBroker(io.env, extra);
  if (failure !== undefined) return outside(io, failure);
  io.stderr.write(`the GPU broker listens on ${socketPath(io.env)}\n`);
  return EXIT.ok;
};

async function serveHere(careful: boolean, idle: string | undefined, io: Io): Promise<ExitCode> {
  const idleExitMs =
    idle === undefined ? IDLE_MS : idle === "never" ? undefined : parseDuration(idle);
  if (idle !== undefined && idle !== "never" && idleExitMs === undefined) {
    io.stderr.write(`flow: --idle takes a time such as \`10m\`, or \`never\`, not \`${idle}\`\n`);
    return EXIT.usage;
  }
  const serving = await serve({ env: io.env, log: logTo(io), settings: { careful }, idleExitMs });
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
