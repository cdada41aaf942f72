// Turns the IDX files into what training reads: pixels scaled to mean 0 and deviation 1 (measured
// on the training part), in three files train, validation and test.
//
//   node prepare.mjs --raw FOLDER --out FOLDER [--train N] [--validation N] [--test N]

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readIdx } from "./idx.mjs";
import { generator, permutation } from "./random.mjs";
import { writeTensors } from "./safetensors.mjs";

const { values: options } = parseArgs({
  options: {
    raw: { type: "string" },
    out: { type: "string" },
    train: { type: "string", default: "5000" },
    validation: { type: "string", default: "1000" },
    test: { type: "string", default: "1500" },
  },
});

const known = readSeries("train");
const unseen = readSeries("t10k");
const order = permutation(known.count, generator(7));
const trainCount = Number(options.train);
const validationEnd = trainCount + Number(options.validation);
if (validationEnd > known.count) {
  console.error(
    `asked for ${validationEnd} digits to train and validate with, there are ${known.count}`,
  );
  process.exit(1);
}

const trainPart = order.subarray(0, trainCount);
const scale = measure(known, trainPart);
mkdirSync(options.out, { recursive: true });
writePart("train", known, trainPart);
writePart("validation", known, order.subarray(trainCount, validationEnd));
writePart(
  "test",
  unseen,
  Uint32Array.from({ length: Math.min(Number(options.test), unseen.count) }, (_, i) => i),
);

function readSeries(name) {
  const images = readIdx(join(options.raw, `${name}-images-idx3-ubyte.gz`));
  const labels = readIdx(join(options.raw, `${name}-labels-idx1-ubyte.gz`));
  const [count, rows, columns] = images.shape;
  if (labels.bytes.length !== count) {
    throw new Error(`${name}: ${count} images but ${labels.bytes.length} labels`);
  }
  return { count, rows, columns, pixels: images.bytes, labels: labels.bytes };
}

/** Mean and standard deviation of the pixels of the chosen images. */
function measure({ pixels, rows, columns }, chosen) {
  const size = rows * columns;
  let sum = 0;
  let sumOfSquares = 0;
  for (const image of chosen) {
    for (let pixel = image * size; pixel < (image + 1) * size; pixel++) {
      sum += pixels[pixel];
      sumOfSquares += pixels[pixel] ** 2;
    }
  }
  const mean = sum / (chosen.length * size);
  return { mean, deviation: Math.sqrt(sumOfSquares / (chosen.length * size) - mean ** 2) };
}

function writePart(name, { pixels, labels, rows, columns }, chosen) {
  const size = rows * columns;
  const images = new Float32Array(chosen.length * size);
  chosen.forEach((image, row) => {
    for (let pixel = 0; pixel < size; pixel++) {
      images[row * size + pixel] = (pixels[image * size + pixel] - scale.mean) / scale.deviation;
    }
  });
  writeTensors(join(options.out, `${name}.safetensors`), {
    images: { shape: [chosen.length, rows, columns], values: images },
    labels: { shape: [chosen.length], values: Uint8Array.from(chosen, (image) => labels[image]) },
  });
  console.log(`${name}: ${chosen.length} digits`);
}
