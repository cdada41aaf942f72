// `flow gpu run -- COMMAND` or `flow gpu run "COMMAND" "COMMAND"`: commands with leases of their own,
// under any tool that runs commands. The command inherits its lease, so that it outlives this process.

import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import {
  commandKeys,
  commandNumbers,
  findOutOfMemory,
  type HeldLease,
  jobEnvironment,
  type LeaseRequest,
  obtain,
  socketPath,
} from "@flow/backend-gpu/client";
import { err, ok, parseBytes, type Result } from "@flow/core";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { sanitizeLine } from "../report/sanitize.ts";
import { type GpuVerb, readArguments, type VerbArguments } from "./verb.ts";

const OPTIONS = {
  mem: { type: "string" },
  gpus: { type: "string" },
  model: { type: "string" },
  load: { type: "string" },
  type: { type: "string" },
  ids: { type: "string" },
  retries: { type: "string" },
  alone: { type: "boolean" },
  "own-lease": { type: "boolean" },
} as const;

export const verb: GpuVerb = async (args, io) => {
  const parsed = readArguments("run", args, OPTIONS, io);
  if (parsed === undefined) return EXIT.usage;
  const commands = commandsOf(parsed);
  const wish = wishOf(parsed);
  if (commands.length === 0 || typeof wish === "string") {
    const problem = typeof wish === "string" ? wish : "say what to run: `flow gpu run -- COMMAND`";
    io.stderr.write(`flow: ${problem}\n`);
    return EXIT.usage;
  }
  const codes = await Promise.all(commands.map((command) => runCommand(command, wish, io)));
  // Another program's exit code is passed on as it is.
  return (codes.find((code) => code !== 0) ?? EXIT.ok) as ExitCode;
};

/** One word by word after `--`; or each argument a command line of its own. */
function commandsOf({ positionals, after }: VerbArguments): readonly (readonly string[])[] {
  const lines = positionals.map((line) => ["sh", "-c", line]);
  return after === undefined || after.length === 0 ? lines : [...lines, after];
}

interface Wish {
  readonly request: Partial<LeaseRequest>;
  readonly type: string | undefined;
  readonly ids: "uuid" | "index";
  readonly retries: number;
  readonly ownLease: boolean;
}

function wishOf(parsed: VerbArguments): Wish | string {
  const amount = (name: string, read: (text: string) => number | undefined): number | undefined => {
    const text = parsed.value(name);
    return text === undefined ? undefined : (read(text) ?? Number.NaN);
  };
  const bytes = amount("mem", parseBytes);
  const gpus = amount("gpus", Number);
  const load = amount("load", Number);
  const retries = amount("retries", Number) ?? 0;
  if (Number.isNaN(bytes)) return "--mem takes an amount of memory, such as `6GiB`";
  if (gpus !== undefined && !(gpus > 0)) return "--gpus takes a number of GPUs, such as 1 or 0.5";
  if (load !== undefined && !(load > 0 && load <= 1)) return "--load takes a share from 0 to 1";
  if (!Number.isInteger(retries) || retries < 0) return "--retries takes a whole number";
  const model = parsed.value("model");
  return {
    request: {
      ...(bytes === undefined ? {} : { bytes }),
      ...(gpus === undefined ? {} : { gpus }),
      ...(load === undefined ? {} : { load }),
      ...(model === undefined ? {} : { model }),
      ...(parsed.has("alone") ? { alone: true } : {}),
    },
    type: parsed.value("type"),
    ids: parsed.value("ids") === "index" ? "index" : "uuid",
    retries,
    ownLease: parsed.has("own-lease"),
  };
}

async function runCommand(argv: readonly string[], wish: Wish, io: Io): Promise<number> {
  // A command inside a leased one uses that lease: a second could wait for the first for ever.
  if (io.env["FLOW_GPU_LEASE"] !== undefined && !wish.ownLease)
    return (await execute(argv, undefined, wish, io)).code;
  const askedAt = performance.now();
  let floorBytes = 0;
  for (let attempt = 0; ; attempt++) {
    const granted = await leaseFor(
      argv,
      { ...wish.request, floorBytes, sinceFirstMs: performance.now() - askedAt },
      wish.type,
      io,
    );
    if (!granted.ok) {
      io.stderr.write(`flow: ${granted.error}\n`);
      return EXIT.outside;
    }
    const { code, text } = await execute(argv, granted.value, wish, io);
    const outOfMemory = code === 0 ? undefined : findOutOfMemory(text);
    const verdict = await granted.value.release({ succeeded: code === 0, outOfMemory });
    if (code === 0 || attempt >= wish.retries) return code;
    if (verdict?.type !== "oom-self" && verdict?.type !== "crowded-out") return code;
    floorBytes = Math.max(floorBytes, verdict.bytes ?? 0);
    io.stderr.write(`flow: out of GPU memory; runs again\n`);
  }
}

async function leaseFor(
  argv: readonly string[],
  request: Partial<LeaseRequest>,
  type: string | undefined,
  io: Io,
): Promise<Result<HeldLease, string>> {
  const words = argv[0] === "sh" && argv[1] === "-c" ? (argv[2] ?? "").split(/\s+/) : argv;
  const label = words.join(" ").slice(0, 200);
  const isQuiet = !io.stderr.isTTY;
  const granted = await obtain(
    {
      ...request,
      label,
      keys: type === undefined ? commandKeys(words) : [`type ${type}`],
      params: commandNumbers(words),
    },
    {
      env: io.env,
      onQueued: (why) => {
        if (!isQuiet) io.stderr.write(`flow: waits: ${sanitizeLine(why)}\n`);
      },
    },
  );
  return granted.ok ? ok(granted.value) : err(granted.error.message);
}

/** How much of the end of standard error is searched for signs of missing memory. */
const TAIL_LENGTH = 64 * 1024;

function execute(
  argv: readonly string[],
  lease: HeldLease | undefined,
  { ids }: Wish,
  io: Io,
): Promise<{ code: number; text: string }> {
  const added =
    lease === undefined ? {} : jobEnvironment(lease, io.env, { ids, socket: socketPath(io.env) });
  // A terminal stays the program's own; only what is collected anyway is read on the way.
  const readsErrors = !io.stderr.isTTY;
  const [program = "", ...args] = argv;
  const child = spawn(program, args, {
    cwd: io.cwd,
    env: { ...io.env, ...added },
    stdio: ["inherit", "inherit", readsErrors ? "pipe" : "inherit", lease?.descriptor ?? "ignore"],
  });
  let text = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    io.stderr.write(chunk);
    text = (text + chunk.toString("utf8")).slice(-TAIL_LENGTH);
  });
  return new Promise((resolve) => {
    const release = passSignals(child, io);
    const finish = (code: number): void => {
      release();
      resolve({ code, text });
    };
    child.once("error", (error: NodeJS.ErrnoException) => {
      io.stderr.write(`flow: ${program} cannot be started: ${error.message}\n`);
      finish(error.code === "ENOENT" ? 127 : 126);
    });
    child.once("exit", (code, signal) => {
      finish(code ?? 128 + (constants.signals[signal ?? "SIGKILL"] ?? 9));
    });
  });
}

/** The command gets what this process gets; it decides what to do about it. */
function passSignals(child: ChildProcess, io: Io): () => void {
  return io.onSignal((signal) => {
    // Ctrl-C reaches the whole foreground group by itself.
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  });
}
