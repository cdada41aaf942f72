import { runId } from "@flow/core";
import { expect, it } from "vitest";
import { damageNotes } from "../../src/run/damage-notes.ts";

const journal = { run: runId("r1"), path: "/p/.flow/runs/r1/journal.jsonl", bytes: 12 };

const notes = (damaged: number, recovered: number, journals = [] as (typeof journal)[]) =>
  damageNotes({ damaged: journals, traces: { damaged, recovered } });

it("says nothing where nothing is damaged", () => {
  expect(notes(0, 0)).toEqual([]);
});

it("says what is lost, what was read back, and what runs again", () => {
  expect(notes(0, 3)).toEqual([
    "the record of past successes (.flow/traces) is missing",
    "successes of 3 tasks were read back from the results of attempts",
  ]);
  expect(notes(1, 1)).toEqual([
    "1 record of a past success is damaged or of another version of flow",
    "the success of 1 task was read back from the results of attempts",
  ]);
  expect(notes(2, 0)).toEqual([
    "2 records of past successes are damaged or of another version of flow",
    "what was lost runs again, unless `flow accept` takes what is there as it is",
  ]);
  expect(notes(0, 1, [journal])).toEqual([
    "12 bytes of /p/.flow/runs/r1/journal.jsonl are damaged and were left out",
    "the success of 1 task was read back from the results of attempts; what else was lost runs again, unless `flow accept` takes what is there as it is",
  ]);
});
