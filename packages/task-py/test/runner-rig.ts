/** Starts the node-side runners as real processes in a folder of their own and waits for what they do. */

import type { ChildProcess } from "node:child_process";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExitRecord, RunnerSpec } from "../src/index.ts";
import { flowRunnerPath, flowTaskPath, jsonSpec, parseExit, shellSpec } from "../src/index.ts";

/** One way to run a specification. */
export interface Runner {
  /** Also the system component it needs. */
  readonly name: string;
  readonly command: readonly string[];
  readonly spec: "spec.json" | "spec.sh";
}

/** The interpreter itself, where `python3` is a script that chooses one. */
const python = spawnSync("python3", ["-c", "import sys; print(sys.executable)"], {
  encoding: "utf8",
}).stdout?.trim();

export const runners: readonly Runner[] = [
  { name: "dash", command: ["dash", flowRunnerPath], spec: "spec.sh" },
  { name: "bash", command: ["bash", "--posix", flowRunnerPath], spec: "spec.sh" },
  { name: "busybox", command: ["busybox", "ash", flowRunnerPath], spec: "spec.sh" },
  {
    name: "python",
    command: [python || "python3", "-IS", flowTaskPath, "exec"],
    spec: "spec.json",
  },
];

/** A specification with what every test needs filled in. */
export type SpecPart = Partial<RunnerSpec>;

/** An attempt directory and the runners started on it; disposing kills what is left and removes the folder. */
export class Attempt implements Disposable {
  readonly dir: string = mkdtempSync(join(tmpdir(), "flow-runner-"));
  readonly key: string = `k-${this.dir.slice(-6)}`;
  readonly #runner: Runner;
  readonly #children: ChildProcess[] = [];

  constructor(runner: Runner) {
    this.#runner = runner;
  }

  /** Starts the runner without waiting. */
  start(part: SpecPart, env: NodeJS.ProcessEnv = process.env): ChildProcess {
    const spec: RunnerSpec = { version: 1, key: this.key, actions: [], ...part };
    const text = this.#runner.spec === "spec.json" ? jsonSpec(spec) : shellSpec(spec);
    writeFileSync(this.path(this.#runner.spec), text);
    return this.startAgain(env);
  }

  /** Starts a runner on the specification that lies there. */
  startAgain(env: NodeJS.ProcessEnv = process.env): ChildProcess {
    const [file = "", ...args] = this.#runner.command;
    const child = spawn(file, [...args, this.path(this.#runner.spec)], {
      detached: true,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#children.push(child);
    return child;
  }

  /** Runs to the end and gives the result; the runner's own exit status is checked to be the code. */
  async run(part: SpecPart, env?: NodeJS.ProcessEnv): Promise<ExitRecord> {
    return this.end(this.start(part, env));
  }

  /** Waits for a started runner and gives the result. */
  async end(child: ChildProcess): Promise<ExitRecord> {
    await ended(child);
    const record = parseExit(this.read("exit"));
    if (record === undefined) throw new Error(`no result; ${JSON.stringify(this.files())}`);
    return record;
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  read(name: string): string {
    return existsSync(this.path(name)) ? readFileSync(this.path(name), "utf8") : "";
  }

  files(): readonly string[] {
    return readdirSync(this.dir).sort();
  }

  /**
   * Codes that a {@link patient} program may have when it was stopped at a time of its own: that of its
   * answer once it was ready, or of its death by the signal when that came before it could listen.
   */
  obeyed(code: number): readonly number[] {
    return this.read("stdout").startsWith("ready\n") ? [code] : [code, 128 + 15];
  }

  /** Waits until the program has written `text` to its standard output. */
  async said(text: string): Promise<void> {
    await until(() => this.read("stdout").includes(text), `the program to write ${text}`);
  }

  /** Processes that carry this attempt's key, without zombies. */
  alive(): readonly string[] {
    return readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && this.#marked(pid));
  }

  #marked(pid: string): boolean {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
      return environment.includes(`FLOW_ATTEMPT_KEY=${this.key}`);
    } catch {
      return false;
    }
  }

  [Symbol.dispose](): void {
    for (const child of this.#children) child.kill("SIGKILL");
    for (const pid of this.alive()) {
      try {
        process.kill(Number(pid), "SIGKILL");
      } catch {
        // It has ended since it was looked for.
      }
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Waits for a process and gives its exit status. */
export async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode;
}

/** Waits for something another process does and that no event tells. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const last = performance.now() + 60_000;
  while (!condition()) {
    if (performance.now() > last) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A shell action. */
export function sh(text: string): { argv: readonly string[] } {
  return { argv: ["sh", "-e", "-c", text] };
}

/** A program that says it is ready and then waits; `onTerm` is what it does when asked to stop. */
export const patient = (onTerm: string): { argv: readonly string[] } =>
  sh(
    `trap '${onTerm}' TERM; echo ready; i=0; while [ $i -lt 1000 ]; do sleep 0.02; i=$((i+1)); done`,
  );

/** What every result of a program that ended well says. */
export const ok = { code: 0, signal: 0, action: 1, leaky: 0 } as const;
