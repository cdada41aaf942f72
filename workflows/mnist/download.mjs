// Downloads the four files of the real MNIST into a folder and checks them. Tries one mirror after
// the other; exits 1 with the reasons when none gave all four files. Takes as long as it takes:
// fetch.mjs sets the limit.
//
//   node download.mjs FOLDER MIRROR...

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const sha256 = {
  "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
  "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
  "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
  "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
};

const [folder, ...mirrors] = process.argv.slice(2);
process.exitCode = 1;
for (const mirror of mirrors) {
  const problem = await downloadAll(mirror);
  if (problem === undefined) {
    console.log(mirror);
    process.exitCode = 0;
    break;
  }
  console.error(problem);
}

/** Fetches all four files at once; writes them only if every one is right. Returns what was wrong. */
async function downloadAll(mirror) {
  try {
    const files = await Promise.all(Object.keys(sha256).map((name) => download(mirror, name)));
    for (const { name, bytes } of files) writeFileSync(join(folder, name), bytes);
    return undefined;
  } catch (error) {
    return `${mirror}: ${error.cause?.message ?? error.message}`;
  }
}

async function download(mirror, name) {
  const response = await fetch(`${mirror}/${name}`);
  if (!response.ok) throw new Error(`${name}: HTTP ${response.status}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  const digest = createHash("sha256").update(bytes).digest("hex");
  if (digest !== sha256[name])
    throw new Error(`${name}: SHA-256 is ${digest}, expected ${sha256[name]}`);
  return { name, bytes };
}
