// Gets the digits: the real MNIST if it can be downloaded within five seconds, otherwise made ones
// in the same four files. Says which on stdout and in source.json.
//
//   node fetch.mjs --out FOLDER [--source auto|real|made] [--seed N] [--train N] [--test N]
//                  [--mirror URL]...

import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { drawDigit, side } from "./digits.mjs";
import { writeIdx } from "./idx.mjs";

// The whole attempt, name look-up included, is a process of its own so that it can be killed in time.
const downloadLimitMs = 4500;

const { values: options } = parseArgs({
  options: {
    out: { type: "string" },
    source: { type: "string", default: "auto" },
    seed: { type: "string", default: "1" },
    train: { type: "string", default: "6000" },
    test: { type: "string", default: "1500" },
    mirror: {
      type: "string",
      multiple: true,
      default: [
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        "https://storage.googleapis.com/cvdf-datasets/mnist",
      ],
    },
  },
});

mkdirSync(options.out, { recursive: true });
const download = options.source === "made" ? { problem: "not asked for" } : downloadReal();
if (download.mirror === undefined && options.source === "real") {
  console.error(`the real MNIST could not be downloaded: ${download.problem}`);
  process.exit(1);
}
const source =
  download.mirror === undefined ? makeDigits() : { kind: "real", mirror: download.mirror };
writeFileSync(join(options.out, "source.json"), `${JSON.stringify(source, undefined, 2)}\n`);

function downloadReal() {
  const program = fileURLToPath(new URL("download.mjs", import.meta.url));
  const child = spawnSync(process.execPath, [program, options.out, ...options.mirror], {
    encoding: "utf8",
    timeout: downloadLimitMs,
    killSignal: "SIGKILL",
  });
  if (child.status === 0) {
    console.log(`source: the real MNIST from ${child.stdout.trim()}`);
    return { mirror: child.stdout.trim() };
  }
  const late = child.error?.code === "ETIMEDOUT" ? [`not done after ${downloadLimitMs} ms`] : [];
  return { problem: [...child.stderr.trim().split("\n").filter(Boolean), ...late].join("; ") };
}

function makeDigits() {
  const seed = Number(options.seed);
  writeSeries("train", Number(options.train), 2 * seed);
  writeSeries("t10k", Number(options.test), 2 * seed + 1);
  console.log(`source: made digits, seed ${seed} (download: ${download.problem})`);
  return { kind: "made", seed, train: Number(options.train), test: Number(options.test) };
}

function writeSeries(name, count, seed) {
  const images = Buffer.alloc(count * side * side);
  const labels = Buffer.alloc(count);
  for (let index = 0; index < count; index++) {
    const { label, pixels } = drawDigit(seed, index);
    images.set(pixels, index * side * side);
    labels[index] = label;
  }
  writeIdx(join(options.out, `${name}-images-idx3-ubyte.gz`), [count, side, side], images);
  writeIdx(join(options.out, `${name}-labels-idx1-ubyte.gz`), [count], labels);
}
