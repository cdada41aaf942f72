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

const options = parseOptions({});
if (!options.ok) throw new Error(JSON.stringify(options.error));
const scheduler = slurm(options.value);

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
  accounts = new Accounts({
    scheduler,
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

it("a question without an answer is asked again, and none after three in a row", async () => {
  const silence = { code: 124, stdout: "", stderr: "" };
  answer = silence;
  next = knows(0);
  end(0);
  await clock.next();
  expect(accounted(0)).toBeUndefined();
  await clock.next();
  expect(accounted(0)).toEqual(used);
  next = silence;
  end(1);
  for (let question = 3; question <= 5; question++) {
    await clock.next();
    expect(asked).toHaveLength(question);
  }
  end(2);
  expect(clock.pending).toBe(0);
});

it("without accounting the end of a run asks once, and pilots are nobody's account", async () => {
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

it("tells with slurmdbd what jobs have used, as recorded from 22.05", () => {
  const text = `2|1|00:00.017||n1|flow-bb
2.batch|1|00:00.014||n1|batch
2.0|1|00:00.002||n1|sleep
1_0|2|00:00.320||n1|flow-aa
1_0.batch|2|00:00.320||n1|batch
4|4|00:00.313||n1|flow-cc
4.batch|4|00:00.313|210164K|n1|batch
5_[1-3]|0|00:00:00||None assigned|flow-dd
6|90061|2-03:04:05||n[1-2]|flow-ee
6.batch|90061|01:02:03|1.50G|n1|batch
6.extern|90061|00:00:00|0|n[1-2]|extern
6.0|90061|2-02:02:02|900M|n[1-2]|python
`;
  const usages = scheduler
    .parseUsage({ code: 0, stdout: text, stderr: "" })
    ?.map(({ name, index, usage }) => {
      const { cpuSeconds, peakMemoryBytes, elapsedMs, node } = usage;
      return [name, index, cpuSeconds, peakMemoryBytes, elapsedMs, node];
    });
  expect(usages).toEqual([
    ["flow-bb", 0, 0.017, undefined, 1000, "n1"],
    ["flow-aa", 0, 0.32, undefined, 2000, "n1"],
    ["flow-cc", 0, 0.313, 210_164 * 1024, 4000, "n1"],
    ["flow-ee", 0, 183_845, 1.5 * 2 ** 30, 90_061_000, "n[1-2]"],
  ]);
  expect(scheduler.usage(["flow-a", "flow-b"]).argv.join(" ")).toBe(
    "timeout 5 env SLURM_BITSTR_LEN=0 sacct -n -P -S now-30days -E now -s BF,CA,CD,DL,F,NF,OOM,PR,TO -o JobID,ElapsedRaw,TotalCPU,MaxRSS,NodeList,JobName --name=flow-a,flow-b",
  );
});
