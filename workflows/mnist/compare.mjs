// Puts all results into one table, as Markdown and as JSON, and prints it.
//
//   node compare.mjs --source SOURCE.json --markdown FILE --json FILE RESULT.json...

import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

const { values: options, positionals } = parseArgs({
  options: { source: { type: "string" }, markdown: { type: "string" }, json: { type: "string" } },
  allowPositionals: true,
});

const source = readJson(options.source);
const results = positionals.map(readJson).sort((a, b) => b.accuracy - a.accuracy);
const best = results[0];
const models = [...new Set(results.map(({ model }) => model))].map((model) => {
  const own = results.filter((result) => result.model === model);
  return {
    model,
    parameters: own[0].parameters,
    runs: own.length,
    ...spread(own.map(({ accuracy }) => accuracy)),
  };
});

const markdown = [
  "# Handwritten digits",
  "",
  source.kind === "real"
    ? `Data: the real MNIST from ${source.mirror}.`
    : `Data: made digits (seed ${source.seed}), not the real MNIST.`,
  "",
  "| model | parameters | runs | mean accuracy | lowest | highest |",
  "| --- | ---: | ---: | ---: | ---: | ---: |",
  ...models.map(
    ({ model, parameters, runs, mean, lowest, highest }) =>
      `| ${model} | ${parameters} | ${runs} | ${percent(mean)} | ${percent(lowest)} | ${percent(highest)} |`,
  ),
  "",
  `Best: ${best.model} with seed ${best.seed}, ${percent(best.accuracy)} of ${best.count} test digits.`,
  "Its answers (rows: what the digit is, columns: what the model says):",
  "",
  "|   | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 |",
  "| - | -: | -: | -: | -: | -: | -: | -: | -: | -: | -: |",
  ...best.confusion.map(
    (row, digit) => `| **${digit}** | ${row.map((n) => n || "·").join(" | ")} |`,
  ),
  "",
].join("\n");

writeFileSync(options.markdown, markdown);
writeFileSync(
  options.json,
  `${JSON.stringify({ source, best: withoutConfusion(best), models, results: results.map(withoutConfusion) }, undefined, 2)}\n`,
);
console.log(markdown);

function readJson(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}

function spread(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, lowest: Math.min(...values), highest: Math.max(...values) };
}

function percent(fraction) {
  return `${(100 * fraction).toFixed(2)} %`;
}

function withoutConfusion({ confusion: _confusion, ...rest }) {
  return rest;
}
