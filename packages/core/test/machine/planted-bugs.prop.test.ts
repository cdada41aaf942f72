// Known mistakes, planted one at a time into the machine's source, must each be caught by one of the
// properties; otherwise the properties prove nothing.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { MachinePlan } from "../../src/machine/plan.ts";
import { type Create, PROPERTIES } from "./properties.ts";

interface Bug {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const bug = (name: string, file: string, from: string, to: string): Bug => ({
  name,
  file,
  from,
  to,
});

const BUGS: readonly Bug[] = [
  bug("starts before the last dependency", "flow.ts", "if (left > 0 ||", "if (left > 1 ||"),
  bug("starts after a failure", "flow.ts", "while (!state.halted && ", "while ("),
  bug("checks after a failure", "flow.ts", "else if (!state.halted) {", "else {"),
  bug("gives memory out twice", "ledger.ts", "shape.memoryBytes > this.#freeMemory()", "false"),
  bug(
    "allows one too many",
    "ledger.ts",
    "return this.#freeSlots() < 1;",
    "return this.#freeSlots() < 0;",
  ),
  bug("forgets to give back", "ledger.ts", "this.#add(hold.shape, hold.cpus, -1)", "void hold"),
  bug("forgets pools", "ledger.ts", "amount <= this.#freePool(pool)", "pool >= 0"),
  bug("forgets other runs", "ledger.ts", " - this.#foreignMemory", ""),
  bug(
    "waits for more cpus than there are",
    "ledger.ts",
    "return Math.min(wanted, this.#limits.cpusMilli ?? wanted);",
    "return wanted;",
  ),
  bug("believes late events", "machine.ts", "event.serial !== state.serial[task]", "false"),
  bug(
    "finishes while attempts live",
    "machine.ts",
    "state.halted && state.live === 0",
    "state.halted",
  ),
  bug("keeps a dead attempt's number", "state.ts", "this.serial[index] = 0;", ""),
  bug(
    "does not look again after an end",
    "ready-queue.ts",
    "const parked = this.#parked;",
    "return; const parked = this.#parked;",
  ),
  bug(
    "keeps resources for who is gone",
    "ready-queue.ts",
    "if (this.#front !== undefined && !this.#isReady(this.#front))",
    "if (false)",
  ),
  bug("runs beside what runs alone", "ready-queue.ts", "(shape.exclusive && live > 0) || ", ""),
  bug("lets others join what runs alone", "flow.ts", " && !state.ledger.isTaken", ""),
  bug(
    "retries after a person's stop",
    "attempt.ts",
    "else if (stop !== undefined && isFinalStop(stop)) stopped",
    "else if (stop !== undefined && stop.how === outcome.type) stopped",
  ),
  bug(
    "forgets a stop that came before the claim",
    "attempt.ts",
    'state.move(event.task, "submitting");\n  sendStop(state, event.task);',
    'state.move(event.task, "submitting");',
  ),
  bug(
    "takes unreachable for gone",
    "attempt.ts",
    'seen(state, task, "unknown", event.why)',
    "{ state.move(task, 'backoff'); makeReady(state, task); }",
  ),
  bug("trusts an adopted success", "attempt.ts", "isAdopted === true && !state.halted", "false"),
  bug(
    "escalates without asking for more",
    "attempt.ts",
    "state.shapes[task] = state.ledger.shapeOf(",
    "void state.ledger.shapeOf(",
  ),
  bug(
    "starts what is adopted unchecked",
    "flow.ts",
    "if (state.notes(task).adopted !== true) {",
    "{",
  ),
  bug(
    "never submits again",
    "flow.ts",
    'state.emit({ type: "resubmit", task, serial: state.serial[task] as number });',
    "",
  ),
  bug(
    "sleeps on",
    "flow.ts",
    "state.wakeAt = undefined;",
    "state.wakeAt = Number.NaN;\n  state.timers.pop();",
  ),
  bug(
    "settles twice",
    "flow.ts",
    "else if (!isFinal(code)) state.settle(dependent",
    "else state.settle(dependent",
  ),
  bug("blames the wrong task", "flow.ts", "state.notes(task).culprit ?? task", "task"),
  bug("does not forgive an allowed failure", "flow.ts", "code === AT.failed && !failed", "false"),
  bug(
    "one retry too many",
    "retry.ts",
    "spent.retries >= policy.max",
    "spent.retries > policy.max",
  ),
  bug(
    "pays requeues with retries",
    "retry.ts",
    "spent: { ...spent, requeues: spent.requeues + 1, idle }",
    "spent: { ...spent, retries: spent.retries + 1, idle }",
  ),
  bug("one requeue too many", "retry.ts", "spent.requeues >= max", "spent.requeues > max"),
  bug(
    "remembers across machines",
    "flow.ts",
    'reason: state.notes(task).reason ?? "first",',
    'reason: (Math.random() < 0.5 ? "first" : "manual"),',
  ),
];

const machineFolder = fileURLToPath(new URL("../../src/machine/", import.meta.url));

/** The machine with one text of its source replaced. */
async function machineWith(planted: Bug | undefined): Promise<Create> {
  const bundle = await build({
    entryPoints: [`${machineFolder}machine.ts`],
    bundle: true,
    format: "esm",
    target: "node20",
    write: false,
    logLevel: "silent",
    plugins: [
      {
        name: "plant",
        setup: ({ onLoad }) => {
          onLoad({ filter: /machine\/[a-z-]+\.ts$/ }, ({ path }) => {
            const source = readFileSync(path, "utf8");
            if (planted === undefined || path !== machineFolder + planted.file) {
              return { contents: source, loader: "ts" };
            }
            if (source.split(planted.from).length !== 2) {
              throw new Error(`${planted.file} does not have once: ${planted.from}`);
            }
            return { contents: source.replace(planted.from, () => planted.to), loader: "ts" };
          });
        },
      },
    ],
  });
  const code = Buffer.from(bundle.outputFiles[0]?.contents ?? []).toString("base64");
  const module = (await import(/* @vite-ignore */ `data:text/javascript;base64,${code}`)) as {
    readonly Machine: new (plan: MachinePlan) => ReturnType<Create>;
  };
  return (plan) => new module.Machine(plan);
}

/** The first property that the machine does not keep; undefined when it keeps all. */
const caughtBy = (create: Create, numRuns: number): string | undefined =>
  PROPERTIES.find(
    ({ make }) => fc.check(make(create), { numRuns, seed: 20_261_121, endOnFailure: true }).failed,
  )?.name;

describe("planted bugs", () => {
  test("the machine as it is keeps every property", async () => {
    expect(caughtBy(await machineWith(undefined), 3_000)).toBeUndefined();
  });

  test.each(BUGS)("a machine that $name is caught", async (planted) => {
    expect(caughtBy(await machineWith(planted), 10_000)).toBeDefined();
  });
});
