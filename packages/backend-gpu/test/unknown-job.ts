/** Requests for tests of what grants them. */
import type { Ask } from "../src/policy/allocator.ts";

/** A request for one card by a job that nobody knows, and of its own kind. */
export const unknownJob = (id: string, changes: Partial<Ask> = {}): Ask => ({
  id,
  label: id,
  user: "anna",
  since: 0,
  priority: 0,
  weightMs: undefined,
  count: 1,
  fraction: undefined,
  alone: false,
  model: undefined,
  linked: false,
  among: undefined,
  identity: { keys: [id], params: {} },
  declaredBytes: undefined,
  declaredLoad: undefined,
  floorBytes: 0,
  ...changes,
});
