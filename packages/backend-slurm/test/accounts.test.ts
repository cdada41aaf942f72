/** What ended jobs have used: when the accounting is asked, and what is written down. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VirtualClock } from "@flow/core/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Accounts } from "../src/accounts.ts";
import { parseOptions } from "../src/options.ts";
import { slurm } from "../src/schedulers/slurm/slurm.ts";
import type { CommandResult } from "../src/transport/transport.ts";

let folder: string;
let clock: VirtualClock;
/** The submissions of each question. */
let asked: string[];
let answer: CommandResult;
/** What is answered from the second question on, if that is something else. */
let next: CommandResult | undefined;
let accounts: Accounts;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flow-accounts-"));
  clock = new VirtualClock();
  asked = [];
  next = undefined;
  const options = parseOptions({});
  if (!options.ok) throw new Error(JSON.stringify(options.error));
  accounts = new Accounts({
    scheduler: slurm(options.value),
    clock,
    transport: {
      run: async (argv) => {
        asked.push(argv.at(-1) ?? "");
        return asked.length === 1 ? answer : (next ?? answer);
      },
      pipe: async () => ({ code: 1, stderr: "" }),
      [Symbol.asyncDispose]: async () => {},
    },
  });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const attemptOf = (index: number): string => join(folder, String(index));
const knows = (...indices: readonly number[]): CommandResult => ({
  code: 0,
  stdout: indices
    .map((n) => `7_${n}|2|00:01.500||n1|flow-a\n7_${n}.batch|2|00:01.500|1024K|n1|batch\n`)
    .join(""),
  stderr: "",
});
function end(index: number, more: { pilot?: boolean } = {}): void {
  mkdirSync(attemptOf(index), { recursive: true });
  accounts.add(attemptOf(index), { name: "flow-a", index, generation: 0, pilot: false, ...more });
}
const accounted = (index: number): unknown => {
  const file = join(attemptOf(index), "accounting.json");
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
};
const used = { cpuSeconds: 1.5, peakMemoryBytes: 2 ** 20, elapsedMs: 2000, node: "n1" };

it("many ends are one question some time later, and what is not known yet is asked for again", async () => {
  answer = knows(0, 1);
  for (let index = 0; index < 3; index++) end(index);
  expect(clock.pending).toBe(1);
  await clock.next();
  expect(clock.now()).toBeGreaterThanOrEqual(3000);
  expect(asked).toEqual(["--name=flow-a"]);
  expect([0, 1, 2].map(accounted)).toEqual([used, used, undefined]);
  answer = knows(2);
  await clock.next();
  expect(accounted(2)).toEqual(used);
  expect(asked).toHaveLength(2);
  expect(clock.pending).toBe(0);
});

it("what the accounting never hears of is let go", async () => {
  answer = knows();
  end(0);
  for (let tries = 1; tries <= 3; tries++) {
    await clock.next();
    expect(asked).toHaveLength(tries);
  }
  expect(clock.pending).toBe(0);
});

it("the end of a run asks for the rest at once, and for what was too young once more", async () => {
  answer = knows(0);
  next = knows(1);
  end(0);
  end(1);
  const settled = accounts.settle();
  await clock.next();
  await settled;
  expect([0, 1].map(accounted)).toEqual([used, used]);
  expect(asked).toHaveLength(2);
  expect(clock.pending).toBe(0);
});

it("without accounting the first answer is the last, and pilots are nobody's account", async () => {
  answer = { code: 1, stdout: "", stderr: "Slurm accounting storage is disabled\n" };
  end(0, { pilot: true });
  await accounts.settle();
  expect(asked).toEqual([]);
  end(1);
  await accounts.settle();
  end(2);
  await accounts.settle();
  expect(asked).toHaveLength(1);
});
