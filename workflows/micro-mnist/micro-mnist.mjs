// A tiny program with the habits of a long one: it keeps a log and a checkpoint in its output
// folder, and when it is started again it goes on after the last finished step. Ten steps of
// gradient descent that learn to tell a drawn 0 from a drawn 1; the weights of a run that was
// killed and resumed equal those of an undisturbed one.
//
// It knows nothing of flow. XT_OUTPUT_MNT is the name Microsoft's ExperimentTools gave to a run's
// persistent folder; flow sets it too. STEP_SECONDS is how long a step takes (0.3).

import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const steps = 10;
const stepMs = 1000 * Number(process.env.STEP_SECONDS ?? 0.3);
const folder = process.env.XT_OUTPUT_MNT ?? "output";
const checkpointFile = join(folder, "checkpoint.json");
mkdirSync(folder, { recursive: true });

const zero = [".####.", "#....#", "#....#", "#....#", "#....#", ".####."].join("");
const one = ["..##..", ".###..", "..##..", "..##..", "..##..", ".####."].join("");

let { step: done, weights } = readCheckpoint() ?? {
  step: 0,
  weights: Array.from({ length: zero.length + 1 }, () => 0),
};
log(done === 0 ? "starting" : `resuming from step ${done + 1}`);

for (let step = done + 1; step <= steps; step++) {
  const loss = (learn(zero, 0, step) + learn(one, 1, step)) / 2;
  await sleep(stepMs);
  writeCheckpoint({ step, weights, loss });
  log(`step ${step} of ${steps}: loss ${loss.toFixed(4)}`);
}
log("done");

/** One step of logistic regression on a digit with a few pixels flipped; returns the loss before it. */
function learn(drawing, label, step) {
  const pixels = [...drawing].map((mark, i) =>
    (mark === "#") !== ((7 * i + 5 * step) % 11 === 0) ? 1 : 0,
  );
  const inputs = [...pixels, 1];
  const score = inputs.reduce((sum, input, i) => sum + input * weights[i], 0);
  const p = 1 / (1 + Math.exp(-score));
  weights = weights.map((weight, i) => weight - 0.1 * (p - label) * inputs[i]);
  return -Math.log(label === 1 ? p : 1 - p);
}

function readCheckpoint() {
  return existsSync(checkpointFile) ? JSON.parse(readFileSync(checkpointFile, "utf8")) : undefined;
}

/** Replaces the checkpoint in one move: whoever reads it, now or after a kill, finds a whole one. */
function writeCheckpoint(checkpoint) {
  writeFileSync(`${checkpointFile}.tmp`, JSON.stringify(checkpoint));
  renameSync(`${checkpointFile}.tmp`, checkpointFile);
}

function log(message) {
  console.log(message);
  appendFileSync(join(folder, "log.txt"), `${message}\n`);
}
