// Records as the directories that MLXP's logger leaves, so that its Reader opens them: a directory
// with a number for each, with `metadata/`, `metrics/` and `artifacts/`.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, extname, isAbsolute, join, resolve } from "node:path";
import {
  ATTEMPT_FILES,
  attemptKey,
  fieldOf,
  type Layout,
  type MetricPoint,
  nodeFileSystem,
  type RunRecord,
  readAttempt,
  timeText,
} from "@flow/core";
import { seriesOf } from "../record/records.ts";
import { nested, type Plain, toYaml } from "./mlxp-yaml.ts";

/** Names the record in a directory, so that another export writes the same one again. */
const MARK = ".flow-record";

/** Names of metrics files that MLXP keeps for itself. */
const RESERVED = new Set(["info", "config", "mlxp", "artifacts"]);

/** Kinds of artifacts that MLXP can load. */
const KINDS: Readonly<Record<string, string>> = {
  ".pkl": "pickle",
  ".pickle": "pickle",
  ".npz": "numpy",
  ".npy": "numpy",
  ".pt": "torch",
  ".pth": "torch",
  ".png": "image",
  ".jpg": "image",
  ".jpeg": "image",
};

/**
 * Writes `records` (the earliest first) below `folder` (absolute), each under the number that it has
 * there already, else under the next one. Returns the numbers.
 */
export function writeMlxp(
  records: readonly RunRecord[],
  places: Layout,
  folder: string,
): readonly number[] {
  mkdirSync(folder, { recursive: true });
  const numbers = numbersIn(folder);
  let last = Math.max(0, ...numbers.taken);
  return records.map((record) => {
    const name = attemptKey(record.key, record.serials[0] ?? record.serial);
    const known = numbers.byName.get(name);
    const number = known ?? last + 1;
    last = Math.max(last, number);
    const directory = join(folder, String(number));
    rmSync(directory, { recursive: true, force: true });
    writeOne(record, places, number, directory);
    writeFileSync(join(directory, MARK), `${name}\n`);
    return number;
  });
}

function numbersIn(folder: string): {
  readonly taken: readonly number[];
  readonly byName: ReadonlyMap<string, number>;
} {
  const taken = readdirSync(folder).filter((name) => /^\d+$/.test(name));
  const byName = new Map<string, number>();
  for (const name of taken) {
    const mark = join(folder, name, MARK);
    if (existsSync(mark)) byName.set(readFileSync(mark, "utf8").trim(), Number(name));
  }
  return { taken: taken.map(Number), byName };
}

function writeOne(record: RunRecord, places: Layout, number: number, directory: string): void {
  for (const name of ["metadata", "metrics", "artifacts"]) {
    mkdirSync(join(directory, name), { recursive: true });
  }
  const write = (path: string, text: string): void => writeFileSync(join(directory, path), text);
  write("metadata/config.yaml", toYaml(nested(record.params)) || "{}\n");
  write("metadata/info.yaml", toYaml(infoOf(record, places, number, directory)));
  writeMetrics(seriesOf(record, places), directory);
  writeArtifacts(record, places, directory);
  for (const stream of [ATTEMPT_FILES.stdout, ATTEMPT_FILES.stderr]) {
    const from = join(record.directory, stream);
    if (existsSync(from)) copyFileSync(from, join(directory, `log.${stream}`));
  }
}

/** MLXP's own keys first, then what flow knows beyond them. */
function infoOf(
  record: RunRecord,
  places: Layout,
  number: number,
  directory: string,
): Readonly<Record<string, Plain>> {
  const [startDate, startTime] = mlxpTime(record.began);
  const [endDate, endTime] = mlxpTime(record.ended);
  return {
    status: String(fieldOf(record, "info.status")),
    current_file_path: join(places.root, record.file),
    executable: record.environment?.python?.executable ?? "",
    hostname: record.node ?? "",
    process_id: -1,
    start_date: startDate,
    start_time: startTime,
    end_date: endDate,
    end_time: endTime,
    work_dir: places.root,
    logger: {
      log_id: number,
      log_dir: directory,
      metrics_dir: join(directory, "metrics"),
      metadata_dir: join(directory, "metadata"),
      artifacts_dir: join(directory, "artifacts"),
    },
    scheduler: undefined,
    version_manager: undefined,
    flow: {
      record: attemptKey(record.key, record.serial),
      task: record.task,
      run: record.run,
      attempts: record.attempts,
      outcome: record.status,
      backend: record.backend,
      commit: record.code?.commit,
      code: record.code?.tree,
      workspace: record.workspace,
      experiment: record.experiment,
    },
  };
}

/** `21/11/2026` and `10:15:30`. */
function mlxpTime(wall: number | undefined): readonly [string, string] {
  if (wall === undefined) return ["", ""];
  const [date = "", time = ""] = timeText(wall).split(" ");
  return [date.split("-").reverse().join("/"), time];
}

/** A file for each part of the names before their first dot; `metrics` for names without one. */
function writeMetrics(points: readonly MetricPoint[], directory: string): void {
  const lines = new Map<string, string[]>();
  const keys = new Map<string, Set<string>>();
  for (const { step, values } of points) {
    const byFile = new Map<string, Record<string, number>>();
    for (const [name, value] of Object.entries(values)) {
      const [file, key] = fileAndKey(name);
      const line = byFile.get(file) ?? (step === undefined ? {} : { step });
      byFile.set(file, { ...line, [key]: value });
    }
    for (const [file, line] of byFile) {
      lines.set(file, [...(lines.get(file) ?? []), jsonLine(line)]);
      keys.set(file, new Set([...(keys.get(file) ?? []), ...Object.keys(line)]));
    }
  }
  if (lines.size > 0) mkdirSync(join(directory, "metrics/.keys"));
  for (const [file, texts] of lines) {
    writeFileSync(join(directory, `metrics/${file}.json`), texts.join(""));
    const names = Object.fromEntries([...(keys.get(file) ?? [])].sort().map((key) => [key, ""]));
    writeFileSync(join(directory, `metrics/.keys/${file}.yaml`), toYaml(names));
  }
}

function fileAndKey(name: string): readonly [file: string, key: string] {
  const dot = name.indexOf(".");
  const [file, key] = dot < 1 ? ["metrics", name] : [name.slice(0, dot), name.slice(dot + 1)];
  const safe = file.replaceAll(/[^\w-]/g, "_");
  return [RESERVED.has(safe) ? `${safe}_` : safe, key === "" ? "value" : key];
}

/** As Python's `json.dump` writes it. */
const jsonLine = (line: Readonly<Record<string, number>>): string =>
  `{${Object.entries(line)
    .map(([key, value]) => `${JSON.stringify(key)}: ${value}`)
    .join(", ")}}\n`;

/** Copies what MLXP has a loader for; files that are gone are left out. */
function writeArtifacts(record: RunRecord, places: Layout, directory: string): void {
  const found: Record<string, Record<string, Record<string, string>>> = {};
  for (const serial of record.serials) {
    const attempt = readAttempt(places, record.key, serial, nodeFileSystem);
    for (const path of attempt.result?.artifacts ?? []) {
      const kind = KINDS[extname(path).toLowerCase()];
      const from = isAbsolute(path)
        ? path
        : resolve(places.root, attempt.record?.task.cwd ?? "", path);
      if (kind === undefined || statSync(from, { throwIfNoEntry: false })?.isFile() !== true) {
        continue;
      }
      mkdirSync(join(directory, "artifacts", kind), { recursive: true });
      copyFileSync(from, join(directory, "artifacts", kind, basename(path)));
      found[kind] = { "": { ...found[kind]?.[""], [basename(path)]: "" } };
    }
  }
  if (Object.keys(found).length === 0) return;
  mkdirSync(join(directory, "artifacts/.keys"));
  writeFileSync(join(directory, "artifacts/.keys/artifacts.yaml"), toYaml(found));
}
