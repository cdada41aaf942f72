// `flow gpu profile`: what has been learned of jobs. `export` prints it as JSON lines, `import FILE`
// takes such lines in, `forget KEY` drops one.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type ProfileLine, rowOf } from "@flow/backend-gpu/client";
import { whyUnreadable } from "@flow/core";
import { EXIT } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { sanitizeLine } from "../report/sanitize.ts";
import { askBroker, type GpuVerb, outside } from "./verb.ts";

export const verb: GpuVerb = async (args, io) => {
  const [what = "list", operand] = args;
  const request = requestOf(what, operand, io);
  if (typeof request === "string") {
    io.stderr.write(`flow: ${request}\n`);
    return EXIT.usage;
  }
  for (const message of request) {
    const answer = await askBroker(io, message, "profile");
    if (!answer.ok) return outside(io, answer.error);
    if (message !== request.at(-1)) continue;
    if (what === "export")
      for (const row of answer.value.rows) io.stdout.write(`${JSON.stringify(row)}\n`);
    if (what === "list") for (const row of answer.value.rows) io.stdout.write(`${describe(row)}\n`);
  }
  return EXIT.ok;
};

type Request = Parameters<typeof askBroker>[1];

function requestOf(what: string, operand: string | undefined, io: Io): readonly Request[] | string {
  switch (what) {
    case "list":
    case "export":
      return [{ m: "profile" }];
    case "forget":
      return operand === undefined
        ? "say which profile to forget, as `flow gpu profile` lists them"
        : [{ m: "profile", forget: operand }];
    case "import":
      return operand === undefined ? "say which file to import" : rowsOf(resolve(io.cwd, operand));
    default:
      return `\`flow gpu profile\` takes list, export, import FILE or forget KEY, not \`${what}\``;
  }
}

/** One message per row, because the length of a message is limited. Nothing of a file with a mistake. */
function rowsOf(path: string): readonly Request[] | string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    return `${path} cannot be read: ${whyUnreadable(error)}`;
  }
  const requests: Request[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const row = profileIn(line);
    if (row === undefined)
      return `${path}:${index + 1}: this is no profile; expected lines as \`flow gpu profile export\` prints them. Nothing was imported`;
    requests.push({ m: "profile", add: [row] });
  }
  return requests;
}

/** Undefined also for a row of which the broker would leave something out. */
function profileIn(line: string): ProfileLine | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const row = rowOf(value);
    const [, { samples }] = value as ProfileLine as [string, { readonly samples: unknown[] }];
    return row?.[1].samples.length === samples.length ? (value as ProfileLine) : undefined;
  } catch {
    return undefined;
  }
}

function describe([key, row]: ProfileLine): string {
  const { samples = [] } = row as { samples?: readonly { peakBytes: number }[] };
  const peak = Math.max(0, ...samples.map(({ peakBytes }) => peakBytes));
  const runs = samples.length === 1 ? "1 run" : `${samples.length} runs`;
  return `${(peak / 2 ** 30).toFixed(1).padStart(6)} GiB  ${runs.padStart(7)}  ${sanitizeLine(key)}`;
}
