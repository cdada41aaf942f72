// What a task's program tells: JSON lines in its events files, `::flow {…}` lines on stdout, and the
// metrics that a regular expression or a JSON file gives away without the program's knowing.
// Unknown kinds are kept by nobody here but stay in the file; a torn last line is not read yet.

import type { MetricSource, Task } from "../model/task.ts";
import { ATTEMPT_FILES } from "../engine/layout.ts";
import type { DirectoryEntry, FileStat, FileSystem } from "../ports/file-system.ts";
import { expandGlob } from "../trace/expand.ts";
import { numbersIn, parseLoosely } from "./metrics.ts";

export type ScriptEvent =
  | {
      readonly kind: "progress";
      readonly done: number | undefined;
      readonly total: number | undefined;
      readonly unit: string | undefined;
      readonly message: string | undefined;
    }
  | {
      readonly kind: "metrics";
      readonly step: number | undefined;
      readonly values: Readonly<Record<string, number>>;
    }
  | { readonly kind: "checkpoint"; readonly path: string; readonly step: number | undefined }
  | { readonly kind: "artifact"; readonly path: string }
  | { readonly kind: "tag"; readonly name: string; readonly value: string }
  | { readonly kind: "requeue" }
  | { readonly kind: "done" }
  | { readonly kind: "other"; readonly name: string };

/** Longest line that is read as an event; longer ones are somebody's output. */
const LONGEST_EVENT = 4096;

/** Bytes read from one file at a time. */
const PIECE = 1 << 16;

/** Where pieces are read to, one after the other: new memory for each would wait long to be freed. */
const SPACE = new Uint8Array(PIECE);

/** Begins an event among the output. */
const OUTPUT_MARK = "::flow ";

const isNumber = (value: unknown): value is number =>
  typeof value === "number" && Number.isFinite(value);
const number = (value: unknown): number | undefined => (isNumber(value) ? value : undefined);
const text = (value: unknown): string | undefined =>
  typeof value === "string" ? value : undefined;

/** The event of one line; undefined when it is none. */
function parseEvent(line: string): ScriptEvent | undefined {
  const value = parseLoosely(line) as Record<string, unknown> | null | undefined;
  if (typeof value !== "object" || value === null) return undefined;
  switch (value["k"]) {
    case "progress":
      return progressOf(value);
    case "metrics":
      return metricsOf(value);
    case "checkpoint": {
      const path = text(value["path"]);
      return path === undefined
        ? undefined
        : { kind: "checkpoint", path, step: number(value["step"]) };
    }
    case "artifact": {
      const path = text(value["path"]);
      return path === undefined ? undefined : { kind: "artifact", path };
    }
    case "tag":
      return tagOf(value);
    case "requeue":
      return { kind: "requeue" };
    case "done":
      return { kind: "done" };
    default:
      return typeof value["k"] === "string" ? { kind: "other", name: value["k"] } : undefined;
  }
}

function progressOf(value: Record<string, unknown>): ScriptEvent {
  const fraction = number(value["frac"]);
  return {
    kind: "progress",
    done: number(value["done"]) ?? fraction,
    total: number(value["total"]) ?? (fraction === undefined ? undefined : 1),
    unit: text(value["unit"]),
    message: text(value["msg"]),
  };
}

function metricsOf(value: Record<string, unknown>): ScriptEvent | undefined {
  const values = value["v"];
  if (typeof values !== "object" || values === null) return undefined;
  return {
    kind: "metrics",
    step: number(value["step"]),
    values: numbersIn(values, text(value["ns"])),
  };
}

function tagOf({ name, value = "" }: Record<string, unknown>): ScriptEvent | undefined {
  const word = ["string", "number", "boolean"].includes(typeof value) ? String(value) : undefined;
  return typeof name !== "string" || name === "" || word === undefined
    ? undefined
    : { kind: "tag", name, value: word };
}

/** Follows the sources of one attempt; each `read` returns what is new. */
export class ScriptEvents {
  readonly #task: Task;
  readonly #directory: string;
  readonly #stdout: string;
  readonly #root: string;
  readonly #fileSystem: FileSystem;
  #entries: readonly DirectoryEntry[] = [];
  readonly #offsets = new Map<string, number>();
  readonly #signatures = new Map<string, string>();
  /** Files that were last changed before this attempt was recorded tell of another one. */
  #since: bigint | undefined;
  readonly #patterns: readonly RegExp[];

  /** `directory`: the attempt's; `root`: what metric files are relative to. */
  constructor(task: Task, directory: string, stdout: string, root: string, fileSystem: FileSystem) {
    this.#task = task;
    this.#directory = directory;
    this.#stdout = stdout;
    this.#root = root;
    this.#fileSystem = fileSystem;
    this.#patterns = task.metrics.flatMap((source) =>
      source.kind === "stdout" ? [new RegExp(source.pattern, "u")] : [],
    );
  }

  /** Events since the last call. With `last` an unterminated line at the end of stdout counts too. */
  read(last = false): readonly ScriptEvent[] {
    const events: ScriptEvent[] = [];
    let hasOutput = false;
    this.#entries = this.#fileSystem.list(this.#directory) ?? [];
    for (const { name } of this.#entries) {
      hasOutput ||= this.#stdout.endsWith(`/${name}`);
      if (/^events\..*jsonl$/.test(name)) {
        this.#lines(`${this.#directory}/${name}`, false, (line) => {
          const event = parseEvent(line);
          if (event !== undefined) events.push(event);
        });
      }
    }
    if (hasOutput) {
      // Without patterns only flow's own lines mean anything, and most output has none.
      const mark = this.#patterns.length === 0 ? OUTPUT_MARK : undefined;
      const take = (line: string): void => void events.push(...this.#fromOutput(line));
      this.#lines(this.#stdout, last, take, mark);
    }
    for (const source of this.#task.metrics) {
      if (source.kind === "jsonl") events.push(...this.#fromLines(source.glob, last));
      else events.push(...this.#fromFile(source));
    }
    return events;
  }

  /** Whether the attempt's directory held this when it was read last. */
  found(name: string): boolean {
    return this.#entries.some((entry) => entry.name === name);
  }

  #isEarlier({ changedNs }: FileStat): boolean {
    const record = `${this.#directory}/${ATTEMPT_FILES.record}`;
    this.#since ??= this.#fileSystem.lstat(record)?.changedNs ?? 0n;
    return changedNs < this.#since;
  }

  /** With `mark` only pieces that contain it are looked into. */
  #lines(path: string, last: boolean, take: (line: string) => void, mark?: string): void {
    let offset = this.#offsets.get(path) ?? 0;
    for (;;) {
      const bytes = this.#fileSystem.readPart(path, offset, PIECE, SPACE);
      if (bytes === undefined || bytes.length === 0) break;
      const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      const end = last && buffer.length < PIECE ? buffer.length : buffer.lastIndexOf(10) + 1;
      if (end === 0) {
        if (buffer.length < PIECE) break;
        offset += buffer.length;
        continue;
      }
      const isWorth = mark === undefined || buffer.includes(mark);
      for (const line of isWorth ? buffer.toString("utf8", 0, end).split("\n") : []) {
        if (line.length > 0 && line.length <= LONGEST_EVENT) take(line);
      }
      offset += end;
    }
    this.#offsets.set(path, offset);
  }

  #fromOutput(line: string): readonly ScriptEvent[] {
    if (line.startsWith(OUTPUT_MARK)) {
      const event = parseEvent(line.slice(OUTPUT_MARK.length));
      return event === undefined ? [] : [event];
    }
    const values: Record<string, number> = {};
    for (const pattern of this.#patterns) {
      const match = pattern.exec(line);
      if (match === null) continue;
      for (const [name, raw] of Object.entries(match.groups ?? { value: match[1] })) {
        const value = Number(raw);
        if (raw !== undefined && raw !== "" && Number.isFinite(value)) values[name] = value;
      }
    }
    return Object.keys(values).length === 0 ? [] : [{ kind: "metrics", step: undefined, values }];
  }

  /** Each line an object whose numbers are metrics; `step` among them is the step. */
  #fromLines(glob: string, last: boolean): readonly ScriptEvent[] {
    const events: ScriptEvent[] = [];
    const { paths } = expandGlob(glob, this.#root, () => false, this.#fileSystem);
    for (const name of paths) {
      const path = `${this.#root}/${name}`;
      const stat = this.#fileSystem.stat(path);
      if (stat === undefined || this.#isEarlier(stat)) continue;
      if (stat.size < (this.#offsets.get(path) ?? 0)) this.#offsets.delete(path);
      this.#lines(path, last, (line) => {
        const event = pointOf(parseLoosely(line));
        if (event !== undefined) events.push(event);
      });
    }
    return events;
  }

  /** A `step` in it is progress, too: such a file is often the program's checkpoint. */
  #fromFile(source: MetricSource): readonly ScriptEvent[] {
    if (source.kind !== "json") return [];
    const path = `${this.#root}/${source.path}`;
    const stat = this.#fileSystem.stat(path);
    if (stat === undefined || this.#isEarlier(stat)) return [];
    if (this.#signatures.get(path) === stat.signature) return [];
    const bytes = this.#fileSystem.read(path);
    const event = bytes && pointOf(parseLoosely(Buffer.from(bytes).toString("utf8")));
    if (event === undefined) return [];
    this.#signatures.set(path, stat.signature);
    if (event.step === undefined) return [event];
    const total = undefined;
    const words = { unit: undefined, message: undefined };
    return [event, { kind: "progress", done: event.step, total, ...words }];
  }
}

/** An object's numbers but for `step`, which says where they belong. */
function pointOf(value: unknown): (ScriptEvent & { kind: "metrics" }) | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const { step, ...values } = value as Record<string, unknown>;
  return { kind: "metrics", step: number(step), values: numbersIn(values) };
}
