// A project that lives in memory: its files, its backend and its time. Runs of flow are processes
// that can be killed at any change they make to the disk; the jobs and the disk outlive them.

import { createHash } from "node:crypto";
import type { Backend, Job } from "../../src/backend/backend.ts";
import { type Layout, layout as layoutOf } from "../../src/engine/layout.ts";
import { openTraces } from "../../src/engine/open-traces.ts";
import type { RunListener } from "../../src/engine/recorder.ts";
import { Run, type RunResult } from "../../src/engine/run.ts";
import type { RunEvent } from "../../src/engine/run-event.ts";
import { buildGraph } from "../../src/graph/build.ts";
import { compilePlan, type Plan } from "../../src/graph/plan.ts";
import { select } from "../../src/graph/select.ts";
import type { Journal } from "../../src/journal/journal.ts";
import { encodeLine, type JournalRecord } from "../../src/journal/record.ts";
import { runId } from "../../src/model/ids.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { FileSystem } from "../../src/ports/file-system.ts";
import {
  FakeBackend,
  type FakeBackendOptions,
  FakeWorld,
  MemoryFileSystem,
  MemoryLocks,
  type Play,
  VirtualClock,
} from "../../src/testing/index.ts";
import { Inspector } from "../../src/trace/inspect.ts";
import { project, task } from "./tasks.ts";

const ROOT = "/project";

/** A task whose output is a function of its recipe and its inputs. */
export interface Recipe {
  readonly name: string;
  /** Sources (`src0`) or names of earlier recipes. */
  readonly needs: readonly string[];
  /** Part of the command. */
  readonly version: number;
  /** The output does not depend on what the inputs contain. */
  readonly constant: boolean;
  readonly ms: number;
  /** How many of its attempts exit with 1 before one succeeds. */
  readonly fails: number;
  /** How many of its attempts are taken away by the system while they run. @default 0 */
  readonly taken?: number;
  /** Its output has `keep: until_used`. @default false */
  readonly temporary?: boolean;
}

export interface RunChoices {
  readonly slots?: number;
  readonly keepGoing?: boolean;
  /** The process dies right after this change to the disk, counted from 1. */
  readonly killAfter?: number;
  /** The process dies when it tells of such an event. */
  readonly killOn?: (event: RunEvent) => boolean;
  /** Milliseconds after which everything is asked to stop. */
  readonly stopAfter?: number;
  readonly fault?: FakeBackendOptions["fault"];
  readonly capabilities?: FakeBackendOptions["capabilities"];
  readonly latencyMs?: () => number;
  readonly listener?: RunListener;
}

const outputOf = (name: string): string => `out/${name}`;

const pathOf = (need: string): string => (need.startsWith("src") ? need : outputOf(need));

const digest = (text: string): string =>
  createHash("sha256").update(text).digest("hex").slice(0, 12);

/** What a recipe makes of its inputs. */
function make(recipe: Recipe, inputs: readonly string[]): string {
  const from = recipe.constant ? "" : digest(inputs.join());
  return `${recipe.name} v${recipe.version} ${from}`;
}

export class MemoryProject {
  readonly disk = new MemoryFileSystem();
  readonly clock = new VirtualClock();
  readonly world: FakeWorld;
  /** Names of tasks, once for each time that one really ran to its end. */
  readonly executed: string[] = [];
  /** How often a run has asked whether another lives. */
  askedOfLocks = 0;
  /** A sentence when two attempts of one task ran at once. */
  violation: string | undefined;
  /** A sentence for each attempt that began without an input. */
  readonly lacking: string[] = [];
  recipes: readonly Recipe[] = [];
  readonly #layout: Layout = layoutOf(ROOT);
  readonly #held = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #taken = new Map<string, number>();
  #runs = 0;

  constructor() {
    this.disk.makeDirectory(ROOT);
    this.disk.makeDirectory(`${ROOT}/out`);
    this.world = new FakeWorld(this.clock, (action, job) => this.#play(action.argv, job));
  }

  write(source: string, content: string): void {
    this.disk.write(`${ROOT}/${source}`, content);
  }

  output(name: string): string | undefined {
    return this.disk.text(`${ROOT}/${outputOf(name)}`);
  }

  /** Jobs that run or are about to. */
  get living(): number {
    return [...this.world.jobs.values()].filter(({ isEnded }) => !isEnded).length;
  }

  /** What the output of a recipe should be, from the sources and recipes alone. */
  expected(name: string): string {
    const recipe = this.#recipe(name);
    return make(
      recipe,
      recipe.needs.map((need) =>
        need.startsWith("src") ? (this.disk.text(`${ROOT}/${need}`) ?? "") : this.expected(need),
      ),
    );
  }

  /** Runs flow once; undefined when the process was killed. */
  run(choices: RunChoices = {}): Promise<RunResult | undefined> {
    return this.clock.until(this.#run(choices), 3_600_000);
  }

  /** Runs flow several times at once. */
  runTogether(...all: readonly RunChoices[]): Promise<readonly (RunResult | undefined)[]> {
    return this.clock.until(Promise.all(all.map((each) => this.#run(each))), 3_600_000);
  }

  async #run(choices: RunChoices): Promise<RunResult | undefined> {
    this.#runs += 1;
    const id = runId(`run-${String(this.#runs).padStart(3, "0")}`);
    const flow = new FlowProcess(this.disk, this.clock, choices.killAfter);
    const locks = new MemoryLocks(flow.files, this.#held);
    const isHeld = locks.isHeld.bind(locks);
    locks.isHeld = (path) => {
      this.askedOfLocks += 1;
      return isHeld(path);
    };
    const plan = this.#plan();
    const { traces } = openTraces(this.#layout, flow.files);
    const { world } = this;
    const backend = new FakeBackend({
      world,
      name: "local",
      ...(choices.fault === undefined ? {} : { fault: choices.fault }),
      ...(choices.latencyMs === undefined ? {} : { latencyMs: choices.latencyMs }),
      ...(choices.capabilities === undefined ? {} : { capabilities: choices.capabilities }),
    });
    const run = new Run({
      run: id,
      plan,
      backends: new Map([["local", flow.backend(backend)]]),
      inspector: new Inspector({
        root: ROOT,
        ignore: [],
        fileSystem: flow.files,
        wall: () => this.clock.wall(),
        sleep: (ms) => flow.clock.sleep(ms),
        env: {},
        traces,
        valuesFile: () => undefined,
        temporary: plan.temporary,
        runCommand: () => Promise.reject(new Error("no recipe has a command to ask")),
      }),
      traces,
      layout: this.#layout,
      ports: {
        clock: flow.clock,
        fileSystem: flow.files,
        locks,
        openJournal: (path) => new MemoryFileJournal(flow.files, path),
        host: "memory",
        pid: this.#runs,
      },
      slots: choices.slots ?? 2,
      keepGoing: choices.keepGoing ?? false,
      failFast: false,
      pythonPath: undefined,
      version: "test",
      file: "flow.yaml",
      evaluate: () => ({ holds: true }),
      position: () => undefined,
      listeners: [
        (event) => {
          if (choices.killOn?.(event) === true) flow.kill();
          else choices.listener?.(event);
        },
      ],
    });
    if (choices.stopAfter !== undefined) {
      flow.clock.after(choices.stopAfter, () => run.stop("graceful", "user"));
    }
    const result = await Promise.race([run.execute(), flow.killed]);
    await backend[Symbol.asyncDispose]();
    if (result === undefined) locks.die();
    return result;
  }

  #plan(): Plan {
    const tasks = this.recipes.map(({ name, needs, version, constant, temporary = false }) =>
      task(name, {
        deps: needs.map(pathOf),
        targets: [temporary ? `${outputOf(name)} until used` : outputOf(name)],
        run: `make ${name} v${version}${constant ? " constant" : ""}`,
        requeue: { mode: "always", codes: [], max: undefined, delayMs: 0 },
      }),
    );
    const graph = buildGraph(project(ROOT, tasks), this.disk);
    if (!graph.ok) throw new Error(JSON.stringify(graph.error));
    const selection = select(graph.value, []);
    if (!selection.ok) throw new Error(JSON.stringify(selection.error));
    return compilePlan(graph.value, selection.value);
  }

  #play(argv: readonly string[], job: Job): Play {
    const recipe = this.#recipe(job.task);
    const target = `${ROOT}/${outputOf(recipe.name)}`;
    const others = [...this.world.jobs.values()].filter(
      (other) => other.job.task === job.task && other.job !== job,
    );
    if (others.some((other) => other.observation().type === "running")) {
      this.violation = `two attempts of ${job.task} ran at once`;
    }
    if (!argv.at(-1)?.includes(`v${recipe.version}`)) return { code: 9, stderr: "old recipe" };
    const missing = recipe.needs.find(
      (need) => this.disk.text(`${ROOT}/${pathOf(need)}`) === undefined,
    );
    if (missing !== undefined) this.lacking.push(`${job.task} began without ${missing}`);
    const inputs = recipe.needs.map((need) => this.disk.text(`${ROOT}/${pathOf(need)}`) ?? "");
    this.disk.write(target, "half of it");
    if (count(this.#taken, recipe.name) < (recipe.taken ?? 0)) {
      this.clock.after(1, () => this.world.jobOf(job.key)?.takeAway("preempted"));
      return { ms: Number.POSITIVE_INFINITY };
    }
    if (count(this.#failures, recipe.name) < recipe.fails) return { ms: recipe.ms, code: 1 };
    return {
      ms: recipe.ms,
      effect: () => {
        this.executed.push(recipe.name);
        this.disk.write(target, make(recipe, inputs));
      },
    };
  }

  #recipe(name: string): Recipe {
    const recipe = this.recipes.find((each) => each.name === name);
    if (recipe === undefined) throw new Error(`no recipe ${name}`);
    return recipe;
  }
}

/** How often this was counted before. */
function count(counts: Map<string, number>, name: string): number {
  const before = counts.get(name) ?? 0;
  counts.set(name, before + 1);
  return before;
}

const CHANGES: ReadonlySet<string> = new Set([
  "write",
  "replace",
  "makeDirectory",
  "rename",
  "remove",
  "removeDirectory",
  "removeTree",
  "link",
]);

/** What one process of flow sees of the world, until it is killed; then it reaches nothing any more. */
class FlowProcess {
  readonly files: FileSystem;
  readonly clock: Clock;
  /** Resolves when the process is killed. */
  readonly killed: Promise<undefined>;
  #alive = true;
  #changes = 0;
  #died: () => void = () => {};

  constructor(disk: MemoryFileSystem, clock: VirtualClock, killAfter: number | undefined) {
    this.killed = new Promise((resolve) => {
      this.#died = () => resolve(undefined);
    });
    this.files = new Proxy(disk, {
      get: (target, name: keyof FileSystem) => {
        const method = (target[name] as (...args: unknown[]) => unknown).bind(target);
        if (!CHANGES.has(name)) return method;
        return (...args: unknown[]): unknown => {
          if (!this.#alive) return true;
          const result = method(...args);
          this.#changes += 1;
          if (this.#changes === killAfter) this.kill();
          return result;
        };
      },
    });
    this.clock = {
      now: () => clock.now(),
      wall: () => clock.wall(),
      after: (ms, callback) => clock.after(ms, () => this.#alive && callback()),
      sleep: (ms, signal) => this.#whileAlive(clock.sleep(ms, signal)),
    };
  }

  kill(): void {
    this.#alive = false;
    this.#died();
  }

  /** Calls of a dead process are never made, and answers to it never arrive. */
  backend(inner: Backend): Backend {
    return new Proxy(inner, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        const method = value.bind(target) as (...args: unknown[]) => unknown;
        if (name === "onChange") {
          return (listener: (keys: unknown) => void) =>
            method((keys: unknown) => this.#alive && listener(keys));
        }
        if (name === "limits" || name === "logs") return method;
        return (...args: unknown[]) =>
          this.#alive
            ? this.#whileAlive(method(...args) as Promise<unknown>)
            : new Promise(() => {});
      },
    });
  }

  #whileAlive<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      promise.then(
        (value) => this.#alive && resolve(value),
        (error) => this.#alive && reject(error as Error),
      );
    });
  }
}

/** A journal on a memory file system; each flush is one change to the disk. */
class MemoryFileJournal implements Journal {
  readonly #files: FileSystem;
  readonly #path: string;
  #number = 0;
  #pending = "";

  constructor(files: FileSystem, path: string) {
    this.#files = files;
    this.#path = path;
    files.write(path, "");
  }

  append(record: JournalRecord): void {
    this.#number += 1;
    this.#pending += encodeLine(this.#number, record);
  }

  flush(): void {
    if (this.#pending === "") return;
    const before = Buffer.from(this.#files.read(this.#path) ?? []).toString("utf8");
    this.#files.write(this.#path, before + this.#pending);
    this.#pending = "";
  }

  close(): Promise<void> {
    this.flush();
    return Promise.resolve();
  }
}
