// The options of `backends.<name>` with `type: gpu`, and a task's own keys under `gpu:`.

import { err, type OptionIssue, ok, type Result } from "@flow/core";

/** What the flow file says of this machine's GPUs. */
export interface GpuOptions {
  /** Indices or UUIDs of those to use; empty: all. `none`: as if there were none. */
  readonly gpus: readonly string[] | "none";
  /** What CUDA_VISIBLE_DEVICES is made of. */
  readonly ids: "uuid" | "index";
}

/** A task's own keys. */
export interface GpuTaskOptions {
  /** Share of a GPU it keeps busy, 0 to 1; absent: learned. */
  readonly load: number | undefined;
  /** Nothing else on its GPUs. */
  readonly alone: boolean;
  /** Its GPUs must be linked closely. */
  readonly linked: boolean;
  /** Name of its profile; absent: made from the task. */
  readonly type: string | undefined;
}

/** Checks `gpus` and `ids`. */
export function parseOptions(input: unknown): Result<GpuOptions, readonly OptionIssue[]> {
  const issues: OptionIssue[] = [];
  const fields = fieldsOf(input, ["gpus", "ids"], issues);
  const gpus = parseGpus(fields["gpus"]);
  if (gpus === undefined)
    issues.push({ path: ["gpus"], message: "Expected `none`, a GPU, or a list such as `0,1`." });
  const { ids = "uuid" } = fields;
  if (ids !== "uuid" && ids !== "index")
    issues.push({ path: ["ids"], message: "Expected `uuid` or `index`." });
  return issues.length > 0
    ? err(issues)
    : ok({ gpus: gpus ?? [], ids: ids === "index" ? "index" : "uuid" });
}

/** `0,1`, `[0, 1]`, `GPU-…` or `none`; undefined for anything else. Empty or absent: all. */
export function parseGpus(value: unknown): GpuOptions["gpus"] | undefined {
  if (value === undefined || value === null || value === "") return [];
  if (value === "none") return "none";
  if (typeof value !== "string" && typeof value !== "number" && !Array.isArray(value))
    return undefined;
  const parts: readonly unknown[] = Array.isArray(value) ? value : String(value).split(",");
  const names = parts.map((part) =>
    typeof part === "string" || typeof part === "number" ? String(part).trim() : "",
  );
  return names.every((name) => /^(\d+|GPU-[\w-]+)$/.test(name)) ? names : undefined;
}

export function parseTaskOptions(input: unknown): Result<GpuTaskOptions, readonly OptionIssue[]> {
  const issues: OptionIssue[] = [];
  const fields = fieldsOf(input, ["load", "alone", "linked", "type"], issues);
  const { type, alone = false, linked = false } = fields;
  const load = fields["load"] === undefined ? undefined : Number(fields["load"]);
  if (load !== undefined && !(load > 0 && load <= 1))
    issues.push({ path: ["load"], message: "Expected a share above 0 and up to 1, such as 0.3." });
  for (const [name, value] of Object.entries({ alone, linked }))
    if (typeof value !== "boolean")
      issues.push({ path: [name], message: "Expected `true` or `false`." });
  if (type !== undefined && typeof type !== "string")
    issues.push({ path: ["type"], message: "Expected a name." });
  return issues.length > 0
    ? err(issues)
    : ok({
        load,
        alone: alone === true,
        linked: linked === true,
        type: typeof type === "string" ? type : undefined,
      });
}

function fieldsOf(
  input: unknown,
  known: readonly string[],
  issues: OptionIssue[],
): Readonly<Record<string, unknown>> {
  if (input === undefined || input === null) return {};
  if (typeof input !== "object" || Array.isArray(input)) {
    issues.push({ path: [], message: "Expected a map of options." });
    return {};
  }
  for (const key of Object.keys(input))
    if (!known.includes(key)) {
      const names = known.map((name) => `\`${name}\``).join(", ");
      issues.push({ path: [key], message: `Unknown option \`${key}\`; known are ${names}.` });
    }
  return input as Record<string, unknown>;
}
