// Checks what a flow file says to a backend against the backend's own schema.

import type { z } from "zod";
import type { Result } from "../model/result.ts";
import { err, ok } from "../model/result.ts";
import type { OptionIssue } from "./plugin.ts";

/** What the schema makes of the options, or all that is wrong with them; none given is an empty map. */
export function checkOptions<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
): Result<z.output<Schema>, readonly OptionIssue[]> {
  const parsed = schema.safeParse(input ?? {});
  if (parsed.success) return ok(parsed.data);
  return err(
    parsed.error.issues.map(({ path, message }) => ({
      path: path.map((part) => (typeof part === "number" ? part : String(part))),
      message,
    })),
  );
}
