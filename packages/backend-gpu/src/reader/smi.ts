// GPUs through `nvidia-smi`, for where the driver's library cannot be called: two children that
// print for as long as the broker lives, started again when they fall silent.

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { err, type Log, ok, type Result } from "@flow/core";
import { APP_FIELDS, GPU_FIELDS, parseApp, parseGpu, type SmiGpu } from "./smi-lines.ts";
import type { GpuProcess, GpuReading, Reader, ReaderOptions, Gpu } from "./reader.ts";

const INTERVAL_MS = 1000;
/** A child that is late by this many intervals is started again. */
const LATE = 5;
/** How long the first line may take: a driver that is not persistent starts slowly. */
const FIRST_MS = 30_000;
const MAX_BACKOFF_MS = 60_000;

/** Opens `nvidia-smi`; fails with a phrase that says what is missing. */
export async function openSmi({ env, log }: ReaderOptions): Promise<Result<Reader, string>> {
  const smi = new Smi(env, log);
  const failure = await smi.start();
  if (failure === undefined) return ok(smi);
  // Else it would be started again and again.
  await smi[Symbol.asyncDispose]();
  return err(failure);
}

class Smi implements Reader {
  readonly source = "nvidia-smi";
  readonly #rows = new Map<string, SmiGpu>();
  readonly #apps = new Map<string, { id: string; process: GpuProcess; seenMs: number }>();
  readonly #gpuStream: Stream;
  readonly #appStream: Stream;
  #gpus: readonly Gpu[] = [];

  constructor(env: ReaderOptions["env"], log: Log) {
    const loop = ["--format=csv,noheader,nounits", "-lms", String(INTERVAL_MS)];
    this.#gpuStream = new Stream([`--query-gpu=${GPU_FIELDS}`, ...loop], env, log, (line) => {
      const row = parseGpu(line);
      if (row !== undefined) this.#rows.set(row.gpu.id, row);
    });
    this.#appStream = new Stream(
      [`--query-compute-apps=${APP_FIELDS}`, ...loop],
      env,
      log,
      (line) => {
        const app = parseApp(line);
        if (app !== undefined)
          this.#apps.set(`${app.id} ${app.process.pid}`, { ...app, seenMs: performance.now() });
      },
    );
    // No process on any GPU: it prints nothing, which is no sign of trouble.
    this.#appStream.mayBeSilent = true;
  }

  get gpus(): readonly Gpu[] {
    return this.#gpus;
  }

  /** Resolves when the first round has been printed; a phrase when none comes. */
  async start(): Promise<string | undefined> {
    const failure = await this.#gpuStream.start();
    if (failure !== undefined) return failure;
    await new Promise((resolve) => setTimeout(resolve, 50));
    this.#gpus = [...this.#rows.values()].map(({ gpu }) => gpu).sort((a, b) => a.index - b.index);
    await this.#appStream.start();
    return this.#gpus.length === 0 ? "nvidia-smi lists no GPU" : undefined;
  }

  async read(): Promise<readonly GpuReading[]> {
    const now = performance.now();
    for (const [key, { seenMs }] of this.#apps)
      if (now - seenMs > 2.5 * INTERVAL_MS) this.#apps.delete(key);
    const late = now - this.#gpuStream.heardMs > LATE * INTERVAL_MS;
    return this.#gpus.map(({ id }): GpuReading => {
      const row = this.#rows.get(id);
      const processes = [...this.#apps.values()]
        .filter((app) => app.id === id)
        .map(({ process }) => process);
      return {
        id,
        usedBytes: row?.usedBytes,
        load: row?.load,
        processes: this.#appStream.isLiving ? processes : undefined,
        lost: late ? "nvidia-smi does not answer" : row?.lost,
      };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#gpuStream.stop();
    this.#appStream.stop();
  }
}

/** One `nvidia-smi` that prints for ever. */
class Stream {
  readonly #args: readonly string[];
  readonly #env: ReaderOptions["env"];
  readonly #log: Log;
  readonly #onLine: (line: string) => void;
  #child: ChildProcess | undefined;
  #backoffMs = INTERVAL_MS;
  #watch: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #stopped = false;
  mayBeSilent = false;
  isLiving = false;
  /** When the last line came. */
  heardMs = 0;

  constructor(
    args: readonly string[],
    env: ReaderOptions["env"],
    log: Log,
    onLine: (line: string) => void,
  ) {
    this.#args = args;
    this.#env = env;
    this.#log = log;
    this.#onLine = onLine;
  }

  /** Resolves to undefined with the first line, or at once where silence is fine. */
  start(): Promise<string | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve("nvidia-smi does not answer"), FIRST_MS);
      const finish = (answer: string | undefined): void => {
        clearTimeout(timer);
        resolve(answer);
      };
      this.#spawn(finish);
      if (this.mayBeSilent) finish(undefined);
    });
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#watch);
    clearTimeout(this.#retry);
    this.#child?.kill("SIGKILL");
  }

  #spawn(started: (failure: string | undefined) => void): void {
    const child = spawn("nvidia-smi", this.#args, {
      env: { ...this.#env, LC_ALL: "C" },
      stdio: ["ignore", "pipe", "ignore"],
    });
    this.#child = child;
    this.isLiving = true;
    this.heardMs = performance.now();
    child.once("error", () => {
      this.isLiving = false;
      started("nvidia-smi was not found on PATH");
    });
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.heardMs = performance.now();
      this.#backoffMs = INTERVAL_MS;
      this.#onLine(line);
      started(undefined);
    });
    // Not `exit`, which may come before what was printed last.
    child.once("close", (code) => {
      this.isLiving = false;
      started(`nvidia-smi ended with code ${code ?? "none"}`);
      this.#again();
    });
    this.#watchOver();
  }

  /** Kills a child that has fallen silent; its end starts the next. */
  #watchOver(): void {
    clearTimeout(this.#watch);
    if (this.mayBeSilent) return;
    this.#watch = setTimeout(() => {
      const silent =
        performance.now() - this.heardMs > Math.max(LATE * INTERVAL_MS, this.#backoffMs);
      if (silent) this.#child?.kill("SIGKILL");
      else this.#watchOver();
    }, LATE * INTERVAL_MS);
    this.#watch.unref();
  }

  #again(): void {
    if (this.#stopped) return;
    this.#backoffMs = Math.min(this.#backoffMs * 2, MAX_BACKOFF_MS);
    this.#log.debug(`nvidia-smi ended; it is started again in ${this.#backoffMs / 1000} s.`);
    this.#retry = setTimeout(() => this.#spawn(() => {}), this.#backoffMs);
    this.#retry.unref();
  }
}
