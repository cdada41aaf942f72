// Trains one model on the prepared digits by mini-batch gradient descent with momentum. Saves its
// whole state after every epoch and when asked to stop; started again it goes on at the same batch
// and ends with the same weights as if it had never stopped.
//
//   node train.mjs --data FOLDER --model softmax|mlp|cnn --seed N --epochs N --step-size X --out FILE

import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { checkpointPath, leaveForRequeue, stopAsked, tell } from "./contract.mjs";
import { assess, createNetwork, modelNames } from "./network.mjs";
import { generator, permutation } from "./random.mjs";
import { readTensors, writeTensors } from "./safetensors.mjs";

const batchSize = 32;
// The step size falls with the epochs done, never with the epochs asked for: training may be
// prolonged later (epochs is a budget) and must then go on as if it had been so from the start.
const decayPerEpoch = 0.8;

const { values: options } = parseArgs({
  options: {
    data: { type: "string" },
    model: { type: "string" },
    seed: { type: "string", default: "0" },
    epochs: { type: "string", default: "5" },
    "step-size": { type: "string", default: "0.02" },
    out: { type: "string" },
  },
});
if (!modelNames.includes(options.model)) {
  console.error(`--model must be one of ${modelNames.join(", ")}, not ${options.model}`);
  process.exit(2);
}

const seed = Number(options.seed);
const epochs = Number(options.epochs);
const train = readTensors(join(options.data, "train.safetensors")).tensors;
const validation = readTensors(join(options.data, "validation.safetensors")).tensors;
const count = train.labels.values.length;
const imageSize = train.images.values.length / count;
const batchesPerEpoch = Math.floor(count / batchSize);
const totalBatches = epochs * batchesPerEpoch;

const network = createNetwork(options.model, seed);
const velocity = new Float32Array(network.weights.length);
const checkpoint = checkpointPath("state.safetensors");
const state = restore() ?? { batch: 0, loss: 0, right: 0 };

let order;
while (state.batch < totalBatches) {
  if (stopAsked()) {
    save();
    console.log(`asked to stop: saved at batch ${state.batch} of ${totalBatches}`);
    leaveForRequeue();
  }
  const epoch = Math.floor(state.batch / batchesPerEpoch);
  const first = (state.batch % batchesPerEpoch) * batchSize;
  if (order === undefined || first === 0) order = permutation(count, generator(seed, 13, epoch));
  trainBatch(
    order.subarray(first, first + batchSize),
    decayPerEpoch ** epoch * Number(options["step-size"]),
  );
  state.batch++;
  if (state.batch % 10 === 0)
    tell("progress", { done: state.batch, total: totalBatches, unit: "batch" });
  if (state.batch % batchesPerEpoch === 0) endEpoch(epoch + 1);
}

mkdirSync(dirname(options.out), { recursive: true });
writeTensors(
  options.out,
  { weights: { shape: [network.weights.length], values: network.weights } },
  { model: options.model, seed: options.seed, epochs: String(state.batch / batchesPerEpoch) },
);

function trainBatch(samples, stepSize) {
  for (const sample of samples) {
    const image = train.images.values.subarray(sample * imageSize, (sample + 1) * imageSize);
    const { loss, right } = network.learn(image, train.labels.values[sample]);
    state.loss += loss;
    state.right += right ? 1 : 0;
  }
  network.descend(velocity, stepSize / batchSize);
}

function endEpoch(epoch) {
  const seen = batchesPerEpoch * batchSize;
  const { accuracy, loss } = assess(network, validation);
  const metrics = {
    "train.loss": state.loss / seen,
    "train.accuracy": state.right / seen,
    "validation.loss": loss,
    "validation.accuracy": accuracy,
  };
  state.loss = 0;
  state.right = 0;
  save();
  tell("metrics", { step: epoch, v: metrics });
  tell("progress", {
    done: state.batch,
    total: totalBatches,
    unit: "batch",
    msg: `epoch ${epoch}`,
  });
  console.log(
    `epoch ${epoch}/${epochs}: loss ${metrics["train.loss"].toFixed(3)}, ` +
      `validation accuracy ${(100 * accuracy).toFixed(1)} %`,
  );
}

/** Sets weights and velocity to those of the checkpoint; returns the rest of its state, if any. */
function restore() {
  if (checkpoint === undefined || !existsSync(checkpoint)) return undefined;
  const { tensors, metadata } = readTensors(checkpoint);
  network.weights.set(tensors.weights.values);
  velocity.set(tensors.velocity.values);
  const saved = JSON.parse(metadata.state);
  console.log(`resuming from batch ${saved.batch}`);
  return saved;
}

function save() {
  if (checkpoint === undefined) return;
  const shape = [network.weights.length];
  writeTensors(
    checkpoint,
    { weights: { shape, values: network.weights }, velocity: { shape, values: velocity } },
    { state: JSON.stringify(state) },
  );
  tell("checkpoint", { path: checkpoint, step: state.batch });
}
