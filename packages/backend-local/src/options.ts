// The options of `backends.<name>` with `type: local`.

import { err, type OptionIssue, ok, parseBytes, type Result } from "@flow/core";

/** What the flow file may say of this machine. */
export interface LocalOptions {
  /** Thousandths of a cpu to give out; absent: what the machine or its cgroup has. */
  readonly cpusMilli: number | undefined;
  /** Bytes of memory to give out; absent: what the machine or its cgroup has. */
  readonly memoryBytes: number | undefined;
}

/** Checks `cpus` and `mem`. */
export function parseOptions(input: unknown): Result<LocalOptions, readonly OptionIssue[]> {
  const fields = fieldsOf(input);
  if (fields === undefined) return err([{ path: [], message: "Expected a map of options." }]);
  const issues = unknownKeys(fields, ["cpus", "mem"]);
  const cpusMilli = parseCpus(fields["cpus"], issues);
  const memoryBytes = parseMemory(fields["mem"], issues);
  return issues.length > 0 ? err(issues) : ok({ cpusMilli, memoryBytes });
}

/** A task has no keys of its own for this backend. */
export function parseTaskOptions(
  input: unknown,
): Result<Readonly<Record<string, never>>, readonly OptionIssue[]> {
  const fields = fieldsOf(input);
  if (fields === undefined) return err([{ path: [], message: "Expected a map of options." }]);
  const issues = unknownKeys(fields, []);
  return issues.length > 0 ? err(issues) : ok({});
}

function fieldsOf(input: unknown): Readonly<Record<string, unknown>> | undefined {
  if (input === undefined || input === null) return {};
  return typeof input === "object" && !Array.isArray(input)
    ? (input as Record<string, unknown>)
    : undefined;
}

function unknownKeys(fields: object, known: readonly string[]): OptionIssue[] {
  const expected =
    known.length === 0
      ? "none is known"
      : `known are ${known.map((key) => `\`${key}\``).join(" and ")}`;
  return Object.keys(fields)
    .filter((key) => !known.includes(key))
    .map((key) => ({ path: [key], message: `Unknown option \`${key}\`; ${expected}.` }));
}

function parseCpus(value: unknown, issues: OptionIssue[]): number | undefined {
  if (value === undefined) return undefined;
  const cpus = typeof value === "string" ? Number(value) : value;
  if (typeof cpus === "number" && Number.isFinite(cpus) && cpus >= 0.001)
    return Math.round(cpus * 1000);
  issues.push({ path: ["cpus"], message: "Expected a number of cpus above 0, such as 4 or 1.5." });
  return undefined;
}

function parseMemory(value: unknown, issues: OptionIssue[]): number | undefined {
  if (value === undefined) return undefined;
  const bytes = typeof value === "string" ? parseBytes(value) : value;
  if (typeof bytes === "number" && Number.isInteger(bytes) && bytes > 0) return bytes;
  issues.push({ path: ["mem"], message: "Expected an amount of memory, such as `8GB`." });
  return undefined;
}
