/** One running command of flow: its output as it comes, its events, its end. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { RunEvent } from "@flow/core";

const main = fileURLToPath(new URL("../../packages/cli/dist/main.js", import.meta.url));

/** What an event of this type must be; fields are compared one by one. */
type Wanted<Type extends RunEvent["type"]> = Partial<Extract<RunEvent, { type: Type }>>;

export interface Ended {
  /** null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What an event that is waited for may take to come. */
const PATIENCE_MS = 60_000;

export class FlowProcess {
  readonly args: readonly string[];
  /** Resolves at the end, however it ends. */
  readonly ended: Promise<Ended>;
  readonly events: RunEvent[] = [];
  readonly #child: ChildProcess;
  readonly #listeners = new Set<() => void>();
  #stdout = "";
  #stderr = "";
  #code: string = "still running";

  /** `wrapper` is a command that runs another, such as strace. */
  constructor(
    args: readonly string[],
    options: {
      readonly cwd: string;
      readonly env: NodeJS.ProcessEnv;
      readonly wrapper?: readonly string[];
    },
  ) {
    this.args = args;
    const argv = [...(options.wrapper ?? []), process.execPath, main, ...args];
    const [command = process.execPath, ...rest] = argv;
    const child = spawn(command, rest, {
      cwd: options.cwd,
      env: options.env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    child.stdout.setEncoding("utf8").on("data", (text) => {
      this.#stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      this.#stderr += text;
      this.#tell();
    });
    createInterface({ input: child.stdout }).on("line", (line) => this.#take(line));
    this.ended = new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => {
        this.#code = `exit ${code ?? signal}`;
        this.#tell();
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr });
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** kill -9; resolves when it is gone. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }

  /** The first event of this type with these fields, past or to come. Needs `--output json`. */
  async event<Type extends RunEvent["type"]>(
    type: Type,
    wanted: Wanted<Type> = {},
  ): Promise<Extract<RunEvent, { type: Type }>> {
    const fits = (event: RunEvent): event is Extract<RunEvent, { type: Type }> =>
      event.type === type &&
      Object.entries(wanted).every(([key, value]) => (event as never)[key] === value);
    await this.#until(() => this.events.some(fits), `${type} ${JSON.stringify(wanted)}`);
    return this.events.find(fits)!;
  }

  /** Resolves once the task has told that it has come so far. */
  progress(task: string, atLeast: number): Promise<void> {
    const isThere = (event: RunEvent): boolean =>
      event.type === "task/progress" && event.task === task && (event.done ?? 0) >= atLeast;
    return this.#until(() => this.events.some(isThere), `progress ${atLeast} of ${task}`);
  }

  /** Resolves once so many events of this type have come. */
  total(type: RunEvent["type"], atLeast: number): Promise<void> {
    const count = (): number => this.events.filter((event) => event.type === type).length;
    return this.#until(() => count() >= atLeast, `${atLeast} times ${type}`);
  }

  /** Resolves once so many events have come. */
  count(events: number): Promise<void> {
    return this.#until(() => this.events.length >= events, `${events} events`);
  }

  /** Names of the tasks with events of this type, in order. */
  tasks(type: RunEvent["type"]): readonly string[] {
    return this.events.flatMap((event) =>
      event.type === type && "task" in event ? [event.task] : [],
    );
  }

  /** Resolves once its standard error shows this text. */
  says(text: string): Promise<void> {
    return this.#until(() => this.#stderr.includes(text), JSON.stringify(text));
  }

  /** Everything about it, for a person who looks at a failed test. */
  transcript(): string {
    return [
      `$ flow ${this.args.join(" ")}   (${this.#code})`,
      this.#stdout && `--- stdout\n${this.#stdout}`,
      this.#stderr && `--- stderr\n${this.#stderr}`,
    ]
      .filter((part) => part !== "")
      .join("\n");
  }

  #take(line: string): void {
    if (!line.startsWith('{"v":')) return;
    this.events.push(JSON.parse(line));
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  #until(holds: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        this.#listeners.delete(look);
        clearTimeout(timer);
        act();
      };
      const look = (): void => {
        if (holds()) settle(resolve);
        else if (this.#code !== "still running")
          settle(() => reject(new Error(`flow ended without ${what}`)));
      };
      const timer = setTimeout(
        () => settle(() => reject(new Error(`waited ${PATIENCE_MS / 1000} s for ${what}`))),
        PATIENCE_MS,
      );
      this.#listeners.add(look);
      look();
    });
  }
}
