// Small schemas that several keys share.

import * as z from "zod";
import type { Scalar } from "./flow-file.ts";

export const scalar: z.ZodType<Scalar> = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/** A number, or text that becomes one once its templates are filled in. */
export const amount: z.ZodType<number | string> = z.union([z.number(), z.string()]);

export const flag: z.ZodType<boolean> = z.boolean();

/** Variables by name. */
export const envMap: z.ZodType<Readonly<Record<string, Scalar>>> = z.record(variableName(), scalar);

/** A name that every shell and program can use. */
export function variableName(): z.ZodString {
  return z.string().regex(/^(?:x-.*|[A-Za-z_][A-Za-z0-9_]*)$/, "cannot be the name of a variable");
}

/** One value where a list is meant, as people write it. */
export function oneOrMany<T>(one: z.ZodType<T>): z.ZodType<T | readonly T[]> {
  return z.union([one, z.array(one)]);
}
