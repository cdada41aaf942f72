// All records of a project, quickly: what attempts said is remembered in one file of the cache, and
// believed only of those whose directories are as they were. The directories are the truth; the file
// can be deleted at any time.

import { ATTEMPT_FILES, type Layout } from "../engine/layout.ts";
import { attemptKey, type TaskKey, taskKey } from "../model/ids.ts";
import type { FileSystem } from "../ports/file-system.ts";
import {
  type MetricSummary,
  readAttempt,
  type StoredAttempt,
  withCodeOfRun,
} from "./attempt-record.ts";
import { summarise } from "./metrics.ts";
import { type RunRecord, toRunRecord } from "./run-record.ts";
import { readSeries } from "./series.ts";

/** Raised when what is remembered changes its form. */
const FORMAT = 2;

const INDEX = "records.json";

/** A directory younger than this may change once more under the same signature. */
const YOUNG_NS = 2_000_000_000n;

type Remembered = readonly [serial: number, signature: string, record: RunRecord | null];

/** Of one task: the signature of the directory that lists its attempts, and the attempts. */
type RememberedTask = readonly [signature: string, attempts: readonly Remembered[]];

type Tasks = Readonly<Record<string, RememberedTask>>;

/** Parts of records that many have in common; each is written once, its number stands for it. */
const SHARED = ["machine", "environment", "code", "outcome", "labels", "usage"] as const;

interface Index {
  readonly format: number;
  readonly state: string;
  readonly shared: readonly unknown[];
  /** With numbers in place of what is shared. */
  readonly tasks: Tasks;
}

interface ReadOptions {
  /** Unix milliseconds. */
  readonly wall: number;
  /** Remember what was read, where the disk lets it; otherwise nothing is written. */
  readonly remember: boolean;
}

interface Records {
  /** Every attempt, grouped by task and in order of serials. */
  readonly byTask: readonly (readonly RunRecord[])[];
  /** Files that cannot be read as what they should be; what they would say is left out. */
  readonly damaged: readonly string[];
}

/** Reads all that is on record. */
export function readRecords(
  layout: Layout,
  files: FileSystem,
  { wall, remember }: ReadOptions,
): Records {
  const path = `${layout.cache}/${INDEX}`;
  const reader = new RecordReader(
    layout,
    files,
    BigInt(wall) * 1_000_000n,
    readIndex(path, layout, files),
  );
  const byTask = reader.readAll();
  if (remember && reader.learned) save(path, layout, reader.found, files);
  return { byTask, damaged: reader.damaged };
}

class RecordReader {
  readonly #layout: Layout;
  readonly #files: FileSystem;
  readonly #now: bigint;
  readonly #known: Tasks;
  readonly found: Record<string, RememberedTask> = {};
  readonly damaged: string[] = [];
  #reused = 0;
  #read = 0;

  constructor(layout: Layout, files: FileSystem, now: bigint, known: Tasks) {
    this.#layout = layout;
    this.#files = files;
    this.#now = now;
    this.#known = known;
  }

  /** Whether the file of the cache would say something else now. */
  get learned(): boolean {
    const before = Object.values(this.#known).flatMap(([, attempts]) =>
      attempts.filter(([, signature]) => signature !== ""),
    ).length;
    return this.#read > 0 || this.#reused !== before;
  }

  readAll(): readonly (readonly RunRecord[])[] {
    const all: (readonly RunRecord[])[] = [];
    for (const { name: folder } of this.#files.list(this.#layout.tasks) ?? []) {
      for (const { name } of this.#files.list(`${this.#layout.tasks}/${folder}`) ?? []) {
        const records = this.#task(taskKey(name));
        if (records.length > 0) all.push(records);
      }
    }
    return all;
  }

  #task(key: TaskKey): readonly RunRecord[] {
    const directory = this.#layout.attempts(key);
    const stat = this.#files.lstat(directory);
    if (stat === undefined) return [];
    const known = Object.hasOwn(this.#known, key) ? this.#known[key] : undefined;
    const remembered = new Map(known?.[1].map((attempt) => [attempt[0], attempt]));
    const isSame = known?.[0] === stat.signature;
    const serials = isSame ? [...remembered.keys()] : this.#serials(directory);
    const attempts = serials.map((serial) => this.#attempt(key, serial, remembered.get(serial)));
    this.found[key] = [this.#isYoung(stat.changedNs) ? "" : stat.signature, attempts];
    return attempts.flatMap(([, , record]) => record ?? []);
  }

  #serials(directory: string): readonly number[] {
    return (this.#files.list(directory) ?? [])
      .map(({ name }) => Number(name))
      .filter((serial) => Number.isSafeInteger(serial) && serial > 0)
      .sort((a, b) => a - b);
  }

  #attempt(key: TaskKey, serial: number, remembered: Remembered | undefined): Remembered {
    const directory = this.#layout.attempt(attemptKey(key, serial));
    const stat = this.#files.lstat(directory);
    if (remembered !== undefined && remembered[1] === stat?.signature) {
      this.#reused += 1;
      return remembered;
    }
    const read = this.#whole(readAttempt(this.#layout, key, serial, this.#files));
    const stored = withCodeOfRun(read, this.#layout, this.#files);
    const told = toRunRecord(key, stored, readTags(directory, this.#files));
    const record = told === undefined ? null : { ...told, metrics: this.#metricsOf(stored) };
    const isSettled = record !== null && stored.result !== undefined && stat !== undefined;
    const isSure = isSettled && !this.#isYoung(stat.changedNs);
    if (isSure) this.#read += 1;
    return [serial, isSure ? stat.signature : "", record];
  }

  /** Without what does not have the form of a record or a result. */
  #whole(stored: StoredAttempt): StoredAttempt {
    const { directory, record, result } = stored;
    const isRecord = typeof record?.task?.id === "string" && typeof record.wall === "number";
    const isResult = typeof result?.outcome?.type === "string";
    if (!isRecord) this.#note(`${directory}/${ATTEMPT_FILES.record}`);
    if (!isResult) this.#note(`${directory}/${ATTEMPT_FILES.result}`);
    return {
      ...stored,
      record: isRecord ? record : undefined,
      result: isResult ? result : undefined,
    };
  }

  /** A file that is there but says nothing is damaged. */
  #note(path: string): void {
    if (this.#files.lstat(path) !== undefined) this.damaged.push(path);
  }

  /** Of an attempt without a result: what it has told so far. */
  #metricsOf({ record, result, directory }: StoredAttempt): RunRecord["metrics"] {
    if (result !== undefined || record === undefined) return result?.metrics ?? {};
    const summary: Record<string, MetricSummary> = {};
    for (const { step, values } of readSeries(record, directory, this.#files)) {
      summarise(summary, values, step);
    }
    return summary;
  }

  #isYoung(changedNs: bigint): boolean {
    return this.#now - changedNs < YOUNG_NS;
  }
}

/** What people have said of an attempt. */
export function readTags(directory: string, files: FileSystem): Readonly<Record<string, string>> {
  const bytes = files.read(`${directory}/${ATTEMPT_FILES.tags}`);
  try {
    return JSON.parse(Buffer.from(bytes ?? "{}").toString("utf8")) as Record<string, string>;
  } catch {
    return {};
  }
}

function readIndex(path: string, layout: Layout, files: FileSystem): Tasks {
  try {
    const bytes = files.read(path);
    const index = JSON.parse(Buffer.from(bytes ?? "{}").toString("utf8")) as Partial<Index>;
    if (index.format !== FORMAT || index.state !== layout.state) return {};
    const { tasks = {}, shared = [] } = index;
    for (const [, attempts] of Object.values(tasks)) {
      for (const [, , record] of attempts) if (record !== null) fillIn(record, shared);
    }
    return tasks;
  } catch {
    return {};
  }
}

/** Only of what was just parsed, which nobody else holds. */
function fillIn(record: RunRecord, shared: readonly unknown[]): void {
  const fields = record as unknown as Record<string, unknown>;
  for (const name of SHARED) {
    const place = fields[name];
    if (typeof place === "number") fields[name] = shared[place];
  }
}

function save(path: string, layout: Layout, found: Tasks, files: FileSystem): void {
  const places = new Map<string, number>();
  const placeOf = (part: unknown): number => {
    const text = JSON.stringify(part);
    const place = places.get(text) ?? places.size;
    places.set(text, place);
    return place;
  };
  const short = (record: RunRecord | null): object | null => {
    if (record === null) return null;
    const fields: Record<string, unknown> = { ...record };
    for (const name of SHARED) {
      if (fields[name] !== undefined) fields[name] = placeOf(fields[name]);
    }
    return fields;
  };
  const tasks = Object.entries(found).map(([key, [signature, attempts]]) => [
    key,
    [signature, attempts.map(([serial, own, record]) => [serial, own, short(record)])],
  ]);
  const shared = [...places.keys()].join(",");
  const head = JSON.stringify({ format: FORMAT, state: layout.state }).slice(0, -1);
  try {
    files.replace(
      path,
      `${head},"shared":[${shared}],"tasks":${JSON.stringify(Object.fromEntries(tasks))}}`,
    );
  } catch {
    // A cache that cannot be written costs time, nothing else.
  }
}
