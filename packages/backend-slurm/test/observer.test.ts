/** What watching many jobs costs: questions to the scheduler and files looked at. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  attemptHandle,
  type AttemptKey,
  attemptKey,
  type Backend,
  backendName,
  type Handle,
  type Observation,
  silentLog,
  taskKey,
} from "@flow/core";
import { VirtualClock } from "@flow/core/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openCluster } from "../src/backend.ts";
import { parseOptions } from "../src/options.ts";
import { slurm } from "../src/schedulers/slurm/slurm.ts";
import type { CommandResult, Transport } from "../src/transport/transport.ts";

const MEMBERS = 100;
const NAME = "flow-0123456789abcdef0123";
const INTERVAL_MS = 2000;
const { signal } = new AbortController();

let folder: string;
let clock: VirtualClock;
let cluster: Backend;
/** What was asked, by program. */
let asked: string[];
/** By member; those without one are not listed. */
let states: string[];
/** What the accounting database answers. */
let history: string;
let handles: Map<AttemptKey, Handle>;

const attemptOf = (index: number): string => join(folder, `attempts/${index}`);
const answer = (stdout: string): CommandResult => ({ code: 0, stdout, stderr: "" });
const rows = (): string =>
  states
    .map((state, index) => (state === "" ? "" : `7|${index}|0|${state}|None|n1|${NAME}|\n`))
    .join("");

const transport: Transport = {
  run: async (argv) => {
    const program = argv.find((word) => /^(squeue|sacct)$/.test(word)) ?? argv.join(" ");
    asked.push(program);
    return answer(program === "squeue" ? rows() : program === "sacct" ? history : "");
  },
  pipe: async () => ({ code: 1, stderr: "" }),
  [Symbol.asyncDispose]: async () => {},
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flow-observer-"));
  clock = new VirtualClock();
  asked = [];
  history = "";
  handles = new Map();
  states = Array.from({ length: MEMBERS }, () => "RUNNING");
  for (let index = 0; index < MEMBERS; index++) {
    const key = attemptKey(taskKey(index.toString(16).padStart(16, "0")), 1);
    handles.set(key, attemptHandle(key, attemptOf(index)));
    mkdirSync(join(attemptOf(index), "0.0"), { recursive: true });
    writeFileSync(join(attemptOf(index), "submission.0"), `${NAME} ${index}\n`);
    start(index, "0.0");
  }
  const options = parseOptions({});
  if (!options.ok) throw new Error(JSON.stringify(options.error));
  const ports = { clock, log: silentLog, env: {} };
  cluster = openCluster(
    { name: backendName("cluster"), root: folder, stateDirectory: folder, ports },
    {
      type: "slurm",
      scheduler: slurm(options.value),
      transport,
      base: undefined,
      pollMs: INTERVAL_MS,
      pilots: { most: 1, timeMs: 60_000, idleMs: 1000 },
      pilotTime: () => undefined,
    },
  );
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const start = (index: number, incarnation: string): void =>
  writeFileSync(
    join(attemptOf(index), incarnation, "started"),
    "pid=1 start=1 boot=b host=n1 uptime=1.00 runner=sh\n",
  );

const end = (index: number, incarnation: string): void =>
  writeFileSync(
    join(attemptOf(index), incarnation, "exit"),
    "code=0 signal=0 stopped=- cause=- action=1 leaky=0 error=- uptime=2.00 wall=1.00 user=0 sys=0 rss=-\n",
  );

/** What is said of each attempt one interval later. */
async function look(): Promise<ReadonlyMap<AttemptKey, Observation>> {
  clock.after(INTERVAL_MS, () => {});
  await clock.advance(INTERVAL_MS);
  const seen = await cluster.observe(handles, signal);
  return seen.ok ? seen.value : new Map();
}

/** How many attempts there are of each kind then. */
async function observe(): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  for (const { type } of (await look()).values()) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}

it("all running jobs are one question an interval", async () => {
  for (let interval = 1; interval <= 5; interval++) {
    expect(await observe()).toEqual({ running: MEMBERS });
    expect(asked).toEqual(Array.from({ length: interval }, () => "squeue"));
  }
});

it("while the scheduler says the same of a job none of its files but the result is looked for", async () => {
  states[1] = "PENDING";
  rmSync(join(attemptOf(1), "0.0/started"));
  expect(await observe()).toEqual({ running: MEMBERS - 1, queued: 1 });
  for (let index = 0; index < MEMBERS; index++)
    for (const each of readdirSync(attemptOf(index)))
      rmSync(join(attemptOf(index), each), { recursive: true });
  expect(await observe()).toEqual({ running: MEMBERS - 1, queued: 1 });
});

it("a result, a start and a restart are seen at the next question", async () => {
  states[2] = "PENDING";
  rmSync(join(attemptOf(2), "0.0/started"));
  expect(await observe()).toEqual({ running: MEMBERS - 1, queued: 1 });
  end(0, "0.0");
  states[2] = "RUNNING";
  start(2, "0.0");
  expect(await observe()).toEqual({ running: MEMBERS - 1, ended: 1 });
  expect(await observe()).toEqual({ running: MEMBERS - 1, ended: 1 });
  end(2, "0.0");
  expect(await observe()).toEqual({ running: MEMBERS - 2, ended: 2 });
});

it.each([
  ["together", `7_[0-${MEMBERS - 1}%2]|CANCELLED by 0|None assigned|${NAME}\n`],
  ["as one without elements", `7|CANCELLED by 0|None assigned|${NAME}\n`],
])(
  "an array that was cancelled before it started and is known to the database %s is cancelled",
  async (_, known) => {
    for (let index = 0; index < MEMBERS; index++) {
      states[index] = "";
      rmSync(join(attemptOf(index), "0.0/started"));
    }
    expect(await observe()).toEqual({ unknown: MEMBERS });
    expect(await observe()).toEqual({ unknown: MEMBERS });
    history = known;
    const seen = await look();
    expect([...seen.values()].map((each) => each.type === "ended" && each.exit.stopped)).toEqual(
      Array.from({ length: MEMBERS }, () => "user"),
    );
    expect(asked).toEqual(["squeue", "squeue", "squeue", "sacct"]);
  },
);

it("a task that waits for a pilot is looked for in the queue alone, until a pilot has taken it", async () => {
  const group = join(folder, "backends/cluster", NAME);
  for (const each of ["queue", "taken", "beats"]) mkdirSync(join(group, each), { recursive: true });
  for (let index = 0; index < MEMBERS; index++) {
    const entry = `${String(index).padStart(7, "0")}.0`;
    writeFileSync(join(attemptOf(index), "submission.0"), `${NAME} ${index} pilot\n`);
    rmSync(join(attemptOf(index), "0.0/started"));
    writeFileSync(join(group, "queue", entry), "");
  }
  expect(await observe()).toEqual({ queued: MEMBERS });
  for (const index of [0, 1]) rmSync(join(attemptOf(index), "submission.0"));
  expect(await observe()).toEqual({ queued: MEMBERS });
  for (const index of [2, 3]) writeFileSync(join(group, `taken/000000${index}.0`), "7_0\n");
  start(2, "0.0");
  for (const index of [3, 4]) {
    start(index, "0.0");
    end(index, "0.0");
  }
  // What nobody has taken, nobody has run.
  expect(await observe()).toEqual({ queued: MEMBERS - 2, running: 1, ended: 1 });
});

it("a task of a pilot that is listed as running and gives no sign of life is unknown, until it gives one", async () => {
  const group = join(folder, "backends/cluster", NAME);
  for (const each of ["taken", "beats"]) mkdirSync(join(group, each), { recursive: true });
  for (const index of [3, 4]) {
    writeFileSync(join(attemptOf(index), "submission.0"), `${NAME} ${index} pilot\n`);
    writeFileSync(join(group, `taken/000000${index}.0`), `7_${index}\n`);
  }
  const beat = (index: number, text: string) =>
    writeFileSync(join(group, `beats/7_${index}`), `${text}\n`);
  const minutes = async (count: number) => {
    for (let n = 0; n < count; n++) {
      beat(4, `other ${asked.length} ${n}`);
      clock.after(60_000, () => {});
      await clock.advance(60_000);
      await look();
    }
  };
  beat(3, "0");
  expect(await observe()).toEqual({ running: MEMBERS });
  await minutes(1);
  expect(await observe()).toEqual({ running: MEMBERS });
  await minutes(1);
  const seen = await look();
  expect([...seen.values()].filter(({ type }) => type !== "running")).toEqual([
    {
      type: "unknown",
      why: "its pilot, job 7_3 on n1, is RUNNING for the scheduler but has given no sign of life for 2m08s",
    },
  ]);
  beat(3, "10");
  expect(await observe()).toEqual({ running: MEMBERS });
  await minutes(3);
  end(3, "0.0");
  expect(await observe()).toEqual({ running: MEMBERS - 1, ended: 1 });
});
