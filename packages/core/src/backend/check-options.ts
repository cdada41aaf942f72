// Checks what a flow file says to a backend against the schema of that backend.

import * as z from "zod";
import { didYouMean } from "../diagnostics/suggest.ts";
import type { Result } from "../model/result.ts";
import { err, ok } from "../model/result.ts";
import { parseDuration } from "../model/units.ts";
import type { OptionIssue } from "./plugin.ts";

/** What the schema makes of the options, or all that is wrong with them; none given is an empty map. */
export function checkOptions<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
): Result<z.output<Schema>, readonly OptionIssue[]> {
  const parsed = schema.safeParse(input ?? {});
  if (parsed.success) return ok(parsed.data);
  return err(parsed.error.issues.flatMap((issue) => toIssues(issue, knownAt(schema, issue.path))));
}

/** A key that nobody knows is a problem at that key, not of the map that holds it. */
function toIssues(issue: z.core.$ZodIssue, known: readonly string[]): readonly OptionIssue[] {
  const path = issue.path.map((part) => (typeof part === "number" ? part : String(part)));
  if (issue.code !== "unrecognized_keys") return [{ path, message: issue.message }];
  const list = known.map((name) => `\`${name}\``).join(", ");
  return issue.keys.map((key) => {
    const hint = didYouMean(key, known) ?? (list === "" ? "" : `Known are ${list}.`);
    return { path: [...path, key], message: `Unknown option \`${key}\`. ${hint}`.trimEnd() };
  });
}

/** The options there are; empty inside of another option. */
const knownAt = (schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] =>
  path.length === 0 && schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];

/** An option that says how long, such as `10s`; in milliseconds. */
export const durationOption: z.ZodType<number> = z
  .union([z.string(), z.number()])
  .transform((value, context): number => {
    const milliseconds = parseDuration(String(value));
    if (milliseconds !== undefined) return milliseconds;
    context.addIssue({ code: "custom", message: "Expected a duration, such as `10s` or `2h`." });
    return z.NEVER;
  });
