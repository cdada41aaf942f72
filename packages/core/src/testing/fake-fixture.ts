// The conformance suite's programs, played by a fake world.

import type { Job, JobAction } from "../backend/backend.ts";
import type { Clock } from "../ports/clock.ts";
import type { BackendFixture } from "./describe-backend/fixture.ts";
import type { Program } from "./describe-backend/program.ts";
import { FakeBackend, type FakeBackendOptions } from "./fake-backend.ts";
import type { Play } from "./fake-job.ts";
import { FakeWorld } from "./fake-world.ts";
import { jobOf } from "./job-of.ts";

/** How long a condition may take to hold, and the pause between two looks at it. */
const PATIENCE_MS = 20_000;
const LOOK_MS = 2;

const FOR_EVER = Number.POSITIVE_INFINITY;

/** A fake backend over a world of its own, for the conformance suite. */
export function fakeFixture(
  clock: Clock,
  options: Omit<FakeBackendOptions, "world"> = {},
): BackendFixture {
  const world = new FakeWorld(clock, (action, job) => play(programOf(action), action, job, clock));
  let connected = true;
  const fault = (): "unavailable" | undefined => (connected ? undefined : "unavailable");
  const actionOf = (program: Program): JobAction => ({
    argv: ["play", JSON.stringify(program)],
    cwd: "/project",
    env: {},
    timeoutMs: undefined,
    okExit: [0],
    stdin: undefined,
  });
  return {
    open: () => Promise.resolve(new FakeBackend({ fault, ...options, world })),
    job: (programs, { action, ...changes } = {}) =>
      jobOf(
        programs.map((program) => ({ ...actionOf(program), ...action })),
        changes,
      ),
    action: (_job, program) => actionOf(program),
    release: (job) => world.jobOf(job.key)?.release(),
    witness: (job) =>
      world.numbersOf(job.key).flatMap((number) => world.jobs.get(number)?.begun ?? []),
    async until(condition, what) {
      const end = clock.now() + PATIENCE_MS;
      while (!(await condition())) {
        if (clock.now() > end) throw new Error(`waited ${PATIENCE_MS / 1_000} s for ${what}`);
        await clock.sleep(LOOK_MS);
      }
    },
    connect: (now) => {
      connected = now;
    },
    async [Symbol.asyncDispose]() {
      for (const job of world.jobs.values()) job.stop("forced", "shutdown");
    },
  };
}

const programOf = (action: JobAction): Program => JSON.parse(action.argv[1] ?? "") as Program;

function play(program: Program, action: JobAction, job: Job, clock: Clock): Play {
  const { name } = program;
  switch (program.does) {
    case "exit":
    case "advance":
      return { name, code: program.code };
    case "die":
      return { name, signal: program.signal };
    case "print":
      return { name, stdout: program.stdout, stderr: program.stderr };
    case "show":
      return { name, stdout: show(program.variables, action, job, clock) };
    case "copy":
      return { name };
    case "where":
      return { name, stdout: `${action.cwd}\n` };
    case "hold":
      return { name, ms: FOR_EVER };
    case "obey":
      return {
        name,
        ms: FOR_EVER,
        stdout: "ready\n",
        onStop: { code: program.code, prints: "stop file\n" },
      };
    case "ignore":
      return { name, ms: FOR_EVER, stdout: "ready\n", onStop: "ignores" };
    case "fork":
      return program.leaves
        ? { name, stdout: "ready\n", leaves: true }
        : { name, ms: FOR_EVER, stdout: "ready\n" };
    case "vanish":
      return { name, code: 127, stderr: "no-such-program: not found\n" };
    default:
      return program satisfies never;
  }
}

function show(names: readonly string[], action: JobAction, job: Job, clock: Clock): string {
  const deadline =
    job.timeoutMs === undefined
      ? {}
      : { FLOW_DEADLINE: String(Math.floor((clock.wall() + job.timeoutMs) / 1_000)) };
  const env: Readonly<Record<string, string>> = { ...job.env, ...action.env, ...deadline };
  return names.map((name) => (name in env ? `${name}=${env[name]}\n` : `${name}\n`)).join("");
}
