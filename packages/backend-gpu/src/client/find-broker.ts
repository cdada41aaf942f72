// Connecting to the broker, starting one where none listens.

import { spawn } from "node:child_process";
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  realpathSync,
} from "node:fs";
import { basename, dirname } from "node:path";
import { err, type Result } from "@flow/core";
import { socketPath, stateDirectory } from "../broker/places.ts";
import { notedStart } from "../broker/start-note.ts";
import { type Connection, connect } from "./connection.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The broker lives long and does little: it need not let garbage pile up. */
const MODEST = ["--max-semi-space-size=2"];
/** How long to wait for a broker that somebody else is starting. */
const OTHER_MS = 30_000;
/** How often it is looked for before another start is tried, and the pause before each look. */
const LOOKS = 25;
const LOOK_MS = 20;

/**
 * A connection to the broker, which is started when none listens, as the last one was if that died; fails
 * with a sentence.
 */
export async function findBroker(env: Environment): Promise<Result<Connection, string>> {
  const path = socketPath(env);
  const first = await connect(path);
  if (first.ok) return first;
  if (first.error === "EACCES")
    return err(`The GPU broker at ${path} belongs to another user; ask for access to it.`);
  if (!isOurs(path))
    return err(
      `The GPU broker on ${path} has ended; ask the user it belongs to to start it again.`,
    );
  const deadline = performance.now() + OTHER_MS;
  for (;;) {
    const failure = await startOnce(path, env);
    const again = await connect(path);
    if (again.ok) return again;
    // Somebody else's may be starting; or one that has just died has not let go of its lock yet.
    if (failure !== undefined && !failure.includes("already listening")) return err(failure);
    for (let looks = 0; looks < LOOKS; looks++) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      const other = await connect(path);
      if (other.ok) return other;
      if (performance.now() > deadline)
        return err(`The GPU broker at ${path} does not answer (${other.error}).`);
    }
  }
}

/** Whether a broker of this user can listen there: its folder can be written, or is not made yet. */
function isOurs(path: string): boolean {
  const folder = dirname(path);
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return !existsSync(folder);
  }
}

/** Starts under way in this process, by socket: many requests at once start one broker. */
const starting = new Map<string, Promise<string | undefined>>();

function startOnce(path: string, env: Environment): Promise<string | undefined> {
  const underWay = starting.get(path);
  if (underWay !== undefined) return underWay;
  const start = startBroker(env, notedStart(env, path)).finally(() => starting.delete(path));
  starting.set(path, start);
  return start;
}

/**
 * Starts a broker that outlives this process. Resolves when it listens; to a sentence when it
 * does not.
 */
export function startBroker(
  env: Environment,
  extra: readonly string[] = [],
): Promise<string | undefined> {
  const program = brokerProgram(env);
  if (program === undefined)
    return Promise.resolve("No GPU broker is running; start one with `flow gpu start`.");
  const state = stateDirectory(env);
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const errors = openSync(`${state}/broker.log`, "a", 0o600);
  const command = [...MODEST, program, "gpu", "start", "--foreground", ...extra];
  const child = spawn(process.execPath, command, {
    detached: true,
    env: withoutLease(env),
    cwd: "/",
    stdio: ["ignore", "pipe", errors],
  });
  closeSync(errors);
  return new Promise((resolve) => {
    let text = "";
    const stdout = child.stdout;
    stdout?.setEncoding("utf8");
    stdout?.on("data", (chunk: string) => {
      text += chunk;
      if (!text.includes("\n")) return;
      const [line = ""] = text.split("\n");
      stdout.destroy();
      child.unref();
      resolve(line.startsWith("listening on ") ? undefined : line);
    });
    child.once("error", (error) => resolve(`The GPU broker did not start: ${error.message}`));
    // `close`, not `exit`: what it said may arrive after it has ended.
    child.once("close", () =>
      resolve(text.trim() || `The GPU broker did not start; see ${state}/broker.log.`),
    );
  });
}

/** The program that has `gpu start`: this one, when it is flow. */
function brokerProgram(env: Environment): string | undefined {
  const named = env["FLOW_GPU_BROKER"];
  if (named !== undefined && named !== "") return named;
  const own = process.argv[1] === undefined ? "" : realpathSync(process.argv[1]);
  return ["main.js", "flow"].includes(basename(own)) ? own : undefined;
}

/** A broker that carried a lease's mark would keep that lease for ever. */
function withoutLease(env: Environment): NodeJS.ProcessEnv {
  const { FLOW_GPU_LEASE: _lease, FLOW_ATTEMPT_DIR: _attempt, ...rest } = env;
  return rest;
}
