// Shells that live on and run one attempt after another, each in a fork of theirs: for short commands
// that costs a fraction of starting a program. A runner leads a session of its own and has one attempt
// at a time, so during that time the session is the attempt's. It takes text from its standard input,
// tells results on its standard output, and ends when flow does and its attempt is over.

import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, openSync, unlinkSync } from "node:fs";
import type { Socket } from "node:net";
import { type BackendFailure, err, ok, type Result } from "@flow/core";
import { type Leader, type LeaderExit, LOST_CLAIM, spawnFailure, TORN_CLAIM } from "./launch.ts";
import type { ProcessTable } from "./table.ts";
import { type AttemptSpec, changeText, isBrief, PRELUDE, runnerScript } from "./wrapper.ts";

/** Idle shells that are kept. */
const MAX_IDLE = 64;

type Variables = Readonly<Record<string, string>>;

/** Starts attempts in shells that live on. */
export class Runners {
  readonly #inherited: NodeJS.ProcessEnv;
  readonly #table: ProcessTable;
  readonly #idle: Runner[] = [];

  constructor(inherited: NodeJS.ProcessEnv, table: ProcessTable) {
    this.#inherited = inherited;
    this.#table = table;
  }

  /** Starts an attempt; `ended` is called once, when its shell has told the result or has ended. */
  async launch(
    spec: AttemptSpec,
    variables: Variables,
    ended: (exit: LeaderExit) => void,
  ): Promise<Result<Leader, BackendFailure>> {
    const runner = this.#takeIdle() ?? (await this.#open(spec.files.directory));
    if (!(runner instanceof Runner)) return err(runner);
    runner.run(spec, variables, ended);
    return ok({
      pid: runner.pid,
      start: runner.start,
      goesOn: true,
      startsNothing: isBrief(spec.job),
      release: () => runner.close(),
      done: () => this.#takeBack(runner),
    });
  }

  /** An idle shell; those that died meanwhile are forgotten. */
  #takeIdle(): Runner | undefined {
    let runner = this.#idle.pop();
    while (runner?.isOver === true) runner = this.#idle.pop();
    return runner;
  }

  close(): void {
    for (const runner of this.#idle.splice(0)) runner.close();
  }

  async #open(directory: string): Promise<Runner | BackendFailure> {
    let child: ChildProcess;
    const output: number[] = [];
    try {
      output.push(namelessFile(directory), namelessFile(directory));
      child = spawn("/bin/sh", [], {
        argv0: "sh",
        cwd: "/",
        env: this.#inherited,
        stdio: ["pipe", "pipe", "ignore", ...output],
        detached: true,
      });
    } catch (error) {
      return spawnFailure(error);
    } finally {
      for (const descriptor of output) closeSync(descriptor);
    }
    if (child.pid === undefined)
      return spawnFailure(await new Promise((resolve) => child.once("error", resolve)));
    const start = this.#table.read(child.pid)?.start ?? "";
    return new Runner(child, child.pid, start, this.#inherited);
  }

  #takeBack(runner: Runner): void {
    if (runner.isOver) return;
    if (this.#idle.length >= MAX_IDLE) {
      runner.close();
    } else {
      runner.rest();
      this.#idle.push(runner);
    }
  }
}

/** A file that is gone when its last holder is: for the output of a command until its end. */
function namelessFile(directory: string): number {
  const path = `${directory}/output-${randomUUID()}`;
  const descriptor = openSync(path, "ax+", 0o600);
  unlinkSync(path);
  return descriptor;
}

class Runner {
  readonly pid: number;
  readonly start: string;
  readonly #child: ChildProcess;
  readonly #input: Socket;
  readonly #output: Socket;
  readonly #inherited: NodeJS.ProcessEnv;
  /** What the shell exports beyond what it inherited. */
  #variables: Variables = {};
  #ended: ((exit: LeaderExit) => void) | undefined;
  #told = "";
  #cpuSeconds = 0;
  #isOver = false;

  constructor(child: ChildProcess, pid: number, start: string, inherited: NodeJS.ProcessEnv) {
    this.#child = child;
    this.pid = pid;
    this.start = start;
    this.#inherited = inherited;
    this.#input = child.stdin as Socket;
    this.#output = child.stdout as Socket;
    // A shell that is gone is noticed by its end; what was written to it is lost with it.
    this.#input.on("error", () => {});
    this.#output.on("error", () => {});
    this.#output.on("data", (chunk: Buffer) => this.#hear(chunk.toString("latin1")));
    child.once("exit", (code, signal) => {
      this.#isOver = true;
      this.#tell({ code: code ?? undefined, signal: signal ?? undefined });
    });
    this.#input.write(PRELUDE);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  run(spec: AttemptSpec, variables: Variables, ended: (exit: LeaderExit) => void): void {
    for (const part of [this.#child, this.#input, this.#output]) part.ref();
    this.#ended = ended;
    this.#told = "";
    const change = changeText(this.#variables, variables, this.#inherited);
    this.#variables = variables;
    this.#input.write(runnerScript(spec, change));
  }

  /** Lets flow end while nothing runs here. */
  rest(): void {
    for (const part of [this.#child, this.#input, this.#output]) part.unref();
  }

  /** Ends the shell once its attempt is over. */
  close(): void {
    this.#isOver = true;
    this.#ended = undefined;
    this.#input.end();
    this.rest();
  }

  /** A result is one line; the two that `times` prints follow it, or two empty ones. */
  #hear(text: string): void {
    this.#told += text;
    const [result, , children, rest] = this.#told.split("\n", 4);
    if (result === undefined || children === undefined || rest === undefined) return;
    const cpuSeconds = children === "" ? undefined : this.#spent(children);
    const code = result === "lost" ? LOST_CLAIM : result === "torn" ? TORN_CLAIM : 0;
    this.#tell({ code, signal: undefined, result: `${result}\n`, cpuSeconds });
  }

  /** Processor seconds since they were last asked for, from the total of the shell's children. */
  #spent(total: string): number {
    const before = this.#cpuSeconds;
    this.#cpuSeconds = total.split(" ").reduce((sum, part) => sum + seconds(part), 0);
    return Math.max(0, this.#cpuSeconds - before);
  }

  #tell(exit: Partial<LeaderExit> & Pick<LeaderExit, "code" | "signal">): void {
    const ended = this.#ended;
    this.#ended = undefined;
    ended?.({ result: undefined, cpuSeconds: undefined, ...exit });
  }
}

/** Seconds of the shell's `1m2.5s`. */
function seconds(text: string): number {
  const [, minutes, rest] = /^(\d+)m(\d+(?:[.,]\d+)?)s$/.exec(text) ?? [];
  return rest === undefined ? 0 : Number(minutes) * 60 + Number(rest.replace(",", "."));
}
