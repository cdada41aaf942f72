// Measures a trained model on the test digits, which training never saw.
//
//   node evaluate.mjs --data FOLDER --model FILE --out RESULT.json

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { assess, loadNetwork } from "./network.mjs";
import { readTensors } from "./safetensors.mjs";

const { values: options } = parseArgs({
  options: { data: { type: "string" }, model: { type: "string" }, out: { type: "string" } },
});

const { network, metadata } = loadNetwork(options.model);
const { tensors } = readTensors(join(options.data, "test.safetensors"));
const { accuracy, loss, count, confusion } = assess(network, tensors);
const result = {
  model: metadata.model,
  seed: Number(metadata.seed),
  epochs: Number(metadata.epochs),
  parameters: network.weights.length,
  accuracy,
  loss,
  count,
  confusion,
};
mkdirSync(dirname(options.out), { recursive: true });
writeFileSync(options.out, `${JSON.stringify(result)}\n`);
console.log(
  `${metadata.model} seed ${metadata.seed}: test accuracy ${(100 * accuracy).toFixed(2)} % on ${count} digits`,
);
