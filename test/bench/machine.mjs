/**
 * What the scheduler costs per event, alone: 100,000 tasks in several shapes of graph, every event
 * of a run in which all is stale and succeeds. Prints the median processor time of five runs and
 * their spread, so that what else runs on the machine counts little.
 *
 *     npm run build && node test/bench/machine.mjs [tasks]
 */
import { Machine } from "../../packages/core/dist/machine/machine.js";
import { planOf } from "../../packages/core/dist/testing/index.js";

const size = Number(process.argv[2] ?? 100_000);

const limits = (slots, cpusMilli, memoryBytes) => ({ slots, cpusMilli, memoryBytes, pools: {} });

const every = (spec) => Array.from({ length: size }, (_, index) => spec(index));

const SHAPES = [
  ["wide, -n 2", every(() => ({})), limits(2)],
  ["wide, 16 cpus", every(() => ({})), limits(undefined, 16_000)],
  ["chain", every((index) => ({ deps: index === 0 ? [] : [index - 1] })), limits(9)],
  [
    "layers of 1000",
    every((index) => ({
      deps: index < 1_008 ? [] : [index - 1_000, index - 1_001 - (index % 7)],
      weight: size - index,
    })),
    limits(9),
  ],
  [
    "every request different",
    every((index) => ({ resources: { memoryBytes: 1_000 + ((index * 7_919) % size) } })),
    limits(undefined, 16_000, 4 * size),
  ],
];

/** Runs a plan to its end; microseconds of processor time per event. */
function run(plan, runLimits) {
  const machine = new Machine(plan);
  const options = { keepGoing: true, failFast: false };
  const events = [{ type: "run/opened", limits: runLimits, options }];
  const before = process.cpuUsage();
  for (let next = 0; next < events.length; next += 1) {
    const event = events[next];
    event.now = next;
    for (const effect of machine.step(event)) answer(effect, events);
  }
  if (!machine.isFinished) throw new Error("the run did not come to its end");
  const { user, system } = process.cpuUsage(before);
  return (user + system) / events.length;
}

function answer({ type, task }, events) {
  if (type === "check") events.push({ type: "task/checked", task, verdict: "stale" });
  if (type !== "start") return;
  const outcome = { type: "success" };
  events.push(
    { type: "attempt/claimed", task, serial: 1 },
    { type: "attempt/submitted", task, serial: 1 },
    { type: "attempt/started", task, serial: 1 },
    { type: "attempt/ended", task, serial: 1, outcome, progressed: false },
  );
}

for (const [name, specs, runLimits] of SHAPES) {
  const plan = planOf(specs);
  const times = Array.from({ length: 5 }, () => run(plan, runLimits)).sort((a, b) => a - b);
  const [low, , median, , high] = times.map((time) => time.toFixed(2));
  console.log(`${name.padEnd(24)} ${median} µs per event (${low} … ${high})`);
}
