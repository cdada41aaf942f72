import { expect, it } from "vitest";
import { CodeKeeper } from "../../src/engine/code-keeper.ts";
import type { AttemptKey, Instant } from "../../src/model/ids.ts";
import type { AttemptRecord, CodeState } from "../../src/record/attempt-record.ts";
import type { CodeTree } from "../../src/snapshot/capture.ts";

const KEY = "0123456789abcdef-1" as AttemptKey;

const record = (code?: CodeState): AttemptRecord => ({ key: KEY, code }) as AttemptRecord;

/** A keeper whose looks are answered by hand. */
function rig() {
  let now = 0 as Instant;
  const clock = {
    now: () => now,
    advance: (milliseconds: number) => {
      now = (now + milliseconds) as Instant;
    },
  };
  const kept: boolean[] = [];
  const answers: { resolve: (tree: CodeTree) => void; reject: (error: Error) => void }[] = [];
  const told: string[] = [];
  const keeper = new CodeKeeper(
    (keep) => {
      kept.push(keep);
      return new Promise((resolve, reject) => {
        answers.push({ resolve, reject });
      });
    },
    clock,
    {
      first: ({ tree }) => told.push(`first ${tree}`),
      warn: (message) => told.push(message),
    },
  );
  const answer = async (tree: string, ...changed: string[]): Promise<void> => {
    const code = { tree, files: 1, bytes: 1, git: undefined, diff: undefined, changed };
    await new Promise((resolve) => setImmediate(resolve));
    answers.shift()?.resolve(code);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, keeper, kept, told, answers, answer };
}

it("looks once for attempts that start together, and stores what it sees", async () => {
  const { keeper, kept, told, answer } = rig();
  expect(keeper.started(KEY)).toBeUndefined();
  expect(keeper.started("other-1" as AttemptKey)).toBeUndefined();
  await answer("A");
  expect(keeper.started("third-1" as AttemptKey)).toMatchObject({ tree: "A", kept: true });
  expect(kept).toEqual([true]);
  expect(told).toEqual(["first A"]);
});

it("adds nothing to the record of a short attempt that ends before the first look is over", async () => {
  const { keeper } = rig();
  keeper.started(KEY);
  expect(await keeper.ended(record())).toBeUndefined();
});

it("adds what it found out after the start, once it is known", async () => {
  const { keeper, answer } = rig();
  keeper.started(KEY);
  await answer("A");
  expect(await keeper.ended(record())).toMatchObject({ tree: "A", changedWhileRunning: false });
});

it("adds nothing when the record says it all", async () => {
  const { keeper, clock, answer } = rig();
  keeper.started("first-1" as AttemptKey);
  await answer("A");
  const code = keeper.started(KEY);
  clock.advance(5000);
  const ended = keeper.ended(record(code));
  await answer("A");
  expect(await ended).toBeUndefined();
});

it("says which files changed while an attempt ran, and what later ones start with", async () => {
  const { keeper, clock, kept, answer } = rig();
  keeper.started("first-1" as AttemptKey);
  await answer("A");
  const code = keeper.started(KEY);
  clock.advance(5000);
  const ended = keeper.ended(record(code));
  await answer("B", "train.py");
  expect(await ended).toMatchObject({
    tree: "A",
    changedWhileRunning: true,
    changed: ["train.py"],
  });
  expect(keeper.started("next-1" as AttemptKey)).toMatchObject({ tree: "B", kept: false });
  expect(kept).toEqual([true, false]);
});

it("counts files that have only come as no change", async () => {
  const { keeper, clock, answer } = rig();
  keeper.started("first-1" as AttemptKey);
  await answer("A");
  const code = keeper.started(KEY);
  clock.advance(5000);
  const ended = keeper.ended(record(code));
  await answer("A and a log");
  expect(await ended).toBeUndefined();
});

it("puts right what an attempt was started with when the look at its start says otherwise", async () => {
  const { keeper, clock, answer } = rig();
  keeper.started("first-1" as AttemptKey);
  await answer("A");
  clock.advance(5000);
  const code = keeper.started(KEY);
  expect(code?.tree).toBe("A");
  await answer("B", "train.py");
  expect(await keeper.ended(record(code))).toMatchObject({
    tree: "B",
    changedWhileRunning: false,
  });
});

it("compares an attempt of an earlier run with the code it recorded", async () => {
  const { keeper, answer } = rig();
  const code: CodeState = { tree: "A", kept: true, git: undefined, diff: undefined };
  const ended = keeper.ended(record(code));
  await answer("B");
  expect(await ended).toMatchObject({ tree: "A", changedWhileRunning: true, changed: [] });
});

it("tells of trouble once and then leaves attempts alone", async () => {
  const { keeper, clock, told, answers } = rig();
  keeper.started(KEY);
  answers.shift()?.reject(new Error("a file is larger than 10 MB"));
  await keeper.idle();
  clock.advance(5000);
  keeper.started("other-1" as AttemptKey);
  expect(await keeper.ended(record())).toBeUndefined();
  expect(told).toEqual(["the code is not recorded: a file is larger than 10 MB"]);
  expect(answers).toEqual([]);
});
