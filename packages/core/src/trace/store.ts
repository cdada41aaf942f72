// The last success of every task, in one file with one line per task. Lines are parsed when asked
// for. Damage costs the damaged lines and nothing else, and what they said is looked for in the
// tasks' own records; where it is not found, the task runs again.

import type { TaskKey } from "../model/ids.ts";
import type { FileSystem } from "../ports/file-system.ts";
import type { Trace } from "./trace.ts";

const keyPattern = /^[0-9a-f]{16}$/;

/** The version that this flow writes and understands. */
const VERSION = 1;

/** The last success of a task that its own records tell of; undefined: none. */
type ReadBack = (key: TaskKey) => Trace | undefined;

/** Traces are parsed again rather than many of them kept: there may be one for each of very many tasks. */
const MOST_PARSED = 1000;

/** Characters that are written at a time. */
const PIECE_LENGTH = 1 << 18;

/** A trace as it will stand in the file. */
interface Change {
  readonly serial: number;
  readonly line: string;
}

/** Traces by task. Reading never writes; {@link TraceStore.save} is for the holder of a run's lock. */
export class TraceStore {
  readonly #fileSystem: FileSystem;
  readonly #path: string;
  readonly #readBack: ReadBack;
  #lines = new Map<TaskKey, string>();
  readonly #parsed = new Map<TaskKey, Trace | undefined>();
  readonly #overlaid = new Map<TaskKey, Trace>();
  /** Own changes; undefined: forgotten. */
  readonly #changes = new Map<TaskKey, Change | undefined>();
  /** Read back from the tasks' own records, and not saved since. */
  readonly #recovered = new Set<TaskKey>();
  #signature: string | undefined;
  #damaged = 0;

  constructor(fileSystem: FileSystem, path: string, readBack: ReadBack = () => undefined) {
    this.#fileSystem = fileSystem;
    this.#path = path;
    this.#readBack = readBack;
    this.#load();
  }

  /** How many lines are no traces of this version; their tasks count as never done. */
  get damaged(): number {
    return this.#damaged;
  }

  /** Whether the file may lack successes that were recorded: it is not there, empty or damaged. */
  get isIncomplete(): boolean {
    return this.#lines.size === 0 || this.#damaged > 0;
  }

  /** How many tasks' last successes came from their own records, and are not saved here yet. */
  get recovered(): number {
    return this.#recovered.size;
  }

  /** Signature of the file as it was read or saved; undefined when there was none. */
  get signature(): string | undefined {
    return this.#signature;
  }

  /** Whether there is something to save. */
  get isChanged(): boolean {
    return this.#changes.size > 0 || this.#recovered.size > 0;
  }

  /** Keys of all tasks with a trace. */
  keys(): readonly TaskKey[] {
    const keys = new Set([...this.#lines.keys(), ...this.#overlaid.keys()]);
    for (const [key, change] of this.#changes) {
      if (change === undefined) keys.delete(key);
      else keys.add(key);
    }
    return [...keys];
  }

  /** The last success of a task; undefined when there was none. */
  get(key: TaskKey): Trace | undefined {
    const change = this.#changes.get(key);
    if (change !== undefined) return parseTrace(change.line);
    if (this.#changes.has(key)) return undefined;
    const recorded = this.#fromFile(key);
    const overlaid = this.#overlaid.get(key);
    if (recorded === undefined || overlaid === undefined) return recorded ?? overlaid;
    return overlaid.serial > recorded.serial ? overlaid : recorded;
  }

  /** Milliseconds the last success took; undefined when there was none. Does not parse. */
  durationMs(key: TaskKey): number | undefined {
    if (this.#overlaid.has(key)) return this.get(key)?.durationMs;
    const line = this.#changes.has(key) ? this.#changes.get(key)?.line : this.#lines.get(key);
    const found = /"durationMs":([0-9.e+]+)/.exec(line ?? "");
    return found?.[1] === undefined ? undefined : Number(found[1]);
  }

  put(key: TaskKey, trace: Trace): void {
    this.#changes.set(key, { serial: trace.serial, line: JSON.stringify(trace) });
  }

  /** Forgets a task's success. */
  remove(key: TaskKey): void {
    if (this.get(key) !== undefined) this.#changes.set(key, undefined);
  }

  /** Adds what runs that are still open have on record; the later attempt counts. Never saved. */
  overlay(traces: Iterable<readonly [TaskKey, Trace]>): void {
    for (const [key, trace] of traces) {
      const earlier = this.#overlaid.get(key);
      if (earlier === undefined || earlier.serial < trace.serial) this.#overlaid.set(key, trace);
    }
  }

  /** Looks for later successes of these tasks in their own records. */
  recover(keys: Iterable<TaskKey>): void {
    for (const key of keys) this.#recover(key);
  }

  /** Makes what was overlaid part of what is saved, for runs that can no longer save it themselves. */
  absorb(): void {
    for (const [key, trace] of this.#overlaid) {
      if (!this.#changes.has(key) && this.get(key) === trace) this.put(key, trace);
    }
  }

  /** Reads the file again if another run has saved it since. */
  refresh(): void {
    if (this.#fileSystem.stat(this.#path)?.signature !== this.#signature) this.#load();
  }

  /**
   * Writes own changes over what the file holds now, so that another run's are kept, also its later
   * successes of the same tasks. The caller holds the lock that keeps two savers apart.
   */
  save(): void {
    if (this.#changes.size === 0) return;
    this.refresh();
    for (const [key, change] of this.#changes) {
      if (change !== undefined && (this.#fromFile(key)?.serial ?? 0) > change.serial) continue;
      this.#parsed.delete(key);
      if (change === undefined) this.#lines.delete(key);
      else this.#lines.set(key, change.line);
    }
    this.#fileSystem.replace(this.#path, this.#pieces());
    this.#signature = this.#fileSystem.stat(this.#path)?.signature;
    this.#changes.clear();
    this.#recovered.clear();
  }

  /** What is saved, in pieces: all of it may be too much to hold twice. */
  *#pieces(): Iterable<string> {
    let piece = "";
    for (const [key, line] of this.#lines) {
      piece += `${key}\t${line}\n`;
      if (piece.length < PIECE_LENGTH) continue;
      yield piece;
      piece = "";
    }
    yield piece;
  }

  #recover(key: TaskKey): void {
    const trace = this.#readBack(key);
    if (trace === undefined || trace.serial <= (this.get(key)?.serial ?? 0)) return;
    this.overlay([[key, trace]]);
    this.#recovered.add(key);
  }

  #load(): void {
    this.#lines = new Map();
    this.#parsed.clear();
    this.#damaged = 0;
    this.#signature = this.#fileSystem.stat(this.#path)?.signature;
    const bytes = this.#fileSystem.read(this.#path);
    if (bytes === undefined) return;
    const text = new TextDecoder().decode(bytes);
    for (let start = 0; start < text.length; ) {
      let end = text.indexOf("\n", start);
      const isWhole = end >= 0;
      if (!isWhole) end = text.length;
      const tab = text.indexOf("\t", start);
      const key = text.slice(start, tab);
      const line = text.slice(tab + 1, end);
      const isLine = isWhole && tab < end && keyPattern.test(key) && line.endsWith("}");
      if (isLine) this.#lines.set(key as TaskKey, line);
      if (!isLine || !isCurrent(line)) this.#damaged++;
      start = end + 1;
    }
  }

  #fromFile(key: TaskKey): Trace | undefined {
    if (this.#parsed.has(key)) return this.#parsed.get(key);
    const line = this.#lines.get(key);
    let trace: Trace | undefined;
    if (line !== undefined) {
      trace = parseTrace(line);
      if (trace === undefined) {
        if (isCurrent(line)) this.#damaged++;
        this.#lines.delete(key);
      }
    }
    if (this.#parsed.size >= MOST_PARSED) this.#parsed.clear();
    this.#parsed.set(key, trace);
    if (line !== undefined && trace === undefined) this.#recover(key);
    return trace;
  }
}

/** Whether a line says that it is of this version. */
const isCurrent = (line: string): boolean => line.includes(`"version":${VERSION},`);

/** Undefined when the text is not a trace of this version. */
function parseTrace(line: string): Trace | undefined {
  try {
    const trace: unknown = JSON.parse(line);
    return isTrace(trace) ? trace : undefined;
  } catch {
    return undefined;
  }
}

/** Whether something that was parsed is a trace of this version. */
export function isTrace(value: unknown): value is Trace {
  const trace = value as Partial<Trace> | null | undefined;
  return (
    trace?.version === VERSION &&
    typeof trace.fingerprint?.digest === "string" &&
    typeof trace.serial === "number" &&
    Array.isArray(trace.deps) &&
    Array.isArray(trace.targets)
  );
}
