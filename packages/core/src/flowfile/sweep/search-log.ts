// What an external search has thought up and been told: JSON lines, one per answer and per result, so
// that a search that was interrupted goes on where it was.

import { Report } from "../../diagnostics/report.ts";
import { describe } from "../document/node.ts";
import { readDocument } from "../document/read.ts";
import { IDENTIFIER } from "../names.ts";

/** A trial that was asked for: its parameters as text, numbers as they were written. */
export interface SearchTrial {
  readonly trial: string;
  readonly params: Readonly<Record<string, string>>;
}

/** What became of a trial. */
export interface SearchResult {
  readonly tell: string;
  readonly state: "done" | "failed" | "pruned";
  /** Absent when it told none. */
  readonly value?: number | undefined;
}

/** Where the log of a search lies, relative to the root. */
export const searchLog = (key: string): string => `.flow/searches/${key}.jsonl`;

/** The log as it is; lines that are damaged are left out. */
export function readSearchLog(text: string): {
  readonly trials: readonly SearchTrial[];
  readonly results: ReadonlyMap<string, SearchResult>;
} {
  const trials: SearchTrial[] = [];
  const results = new Map<string, SearchResult>();
  for (const line of text.split("\n")) {
    try {
      const entry = JSON.parse(line) as Partial<SearchTrial & SearchResult> | null;
      if (entry?.params !== undefined) trials.push(entry as SearchTrial);
      else if (entry?.tell !== undefined) results.set(entry.tell, entry as SearchResult);
    } catch {
      // The end of a line that was being written when the power went.
    }
  }
  return { trials, results };
}

/** An answer `{"trial": 1, "params": {"lr": 0.1}}`, or what is wrong with it. */
export function readAnswer(line: string): SearchTrial | "done" | { readonly problem: string } {
  const report = new Report();
  const node = readDocument(line, 0, report);
  const [complaint] = report.diagnostics;
  if (node === undefined || complaint !== undefined) {
    return { problem: complaint?.message ?? "it is empty" };
  }
  if (node.kind !== "map") return { problem: `it is ${describe(node)}, not an object` };
  const done = node.entries.get("done")?.value;
  if (done?.kind === "scalar" && done.value === true) return "done";
  const [trial, params] = [node.entries.get("trial")?.value, node.entries.get("params")?.value];
  if (trial?.kind !== "scalar" || params?.kind !== "map" || params.entries.size === 0) {
    return { problem: "it lacks `trial` or `params`" };
  }
  const values: Record<string, string> = {};
  for (const [name, { value }] of params.entries) {
    if (!IDENTIFIER.test(name)) return { problem: `\`${name}\` cannot be the name of a parameter` };
    if (value.kind !== "scalar" || value.value === null) {
      return { problem: `\`${name}\` is ${describe(value)}, not text or a number` };
    }
    values[name] = value.text;
  }
  return { trial: trial.text, params: values };
}
