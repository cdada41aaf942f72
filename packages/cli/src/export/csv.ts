// Records as comma-separated values, for spreadsheets and data frames: quoted as in RFC 4180, lines ended as on Unix.

import { FieldNames, fieldOf, type RunRecord } from "@flow/core";

const USUAL = [
  "id",
  "task",
  "run",
  "status",
  "exit.code",
  "attempts",
  "time.began",
  "time.ended",
  "duration",
  "backend",
  "host",
  "usage.cpu",
  "usage.memory",
  "usage.gpu_memory",
  "code.commit",
  "code.dirty",
  "python.version",
  "workspace",
  "experiment",
];

/** Without `columns`: the usual ones, every parameter and every metric with its extremes. */
export function recordsAsCsv(records: readonly RunRecord[], columns: readonly string[]): string {
  const fields = columns.length > 0 ? columns : allFields(records);
  const rows = records.map((record) =>
    fields.map((field) => {
      const value = fieldOf(record, field);
      return value === undefined || value === null ? "" : String(value);
    }),
  );
  return [fields, ...rows].map((row) => `${row.map(quoted).join(",")}\n`).join("");
}

function allFields(records: readonly RunRecord[]): readonly string[] {
  const { params, metrics } = new FieldNames(records);
  return [
    ...USUAL,
    ...params.map((name) => `params.${name}`),
    ...metrics.flatMap((name) => [`metrics.${name}`, `metrics.${name}.min`, `metrics.${name}.max`]),
  ];
}

const quoted = (text: string): string =>
  /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
