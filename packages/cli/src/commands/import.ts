// `flow import FILE`: the flow file that means what a file of another tool does.

import { readFileSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { formatDocument, parseDocument, whyUnreadable } from "@flow/core";
import { EXIT } from "../exit-codes.ts";
import { importBatchAi, isBatchAi } from "../import/batch-ai.ts";
import { asMap, type Imported } from "../import/imported.ts";
import { importXt, isXt } from "../import/xt-config.ts";
import type { Command } from "../invocation.ts";
import { sanitizeLine } from "../report/sanitize.ts";

export const command: Command = async (invocation, io) => {
  const [file = ""] = invocation.positionals;
  const path = resolve(io.cwd, file);
  const refuse = (what: string) => {
    io.stderr.write(`flow: ${sanitizeLine(`\`${file}\` ${what}`)}\n`);
    return EXIT.usage;
  };
  let document: unknown;
  try {
    document = await parseDocument(path, readFileSync(path, "utf8"));
  } catch (error) {
    const [line = ""] = whyUnreadable(error).split("\n");
    return refuse(`cannot be read: ${line.replace(/:$/, "")}`);
  }
  const found = convert(asMap(document), basename(dirname(path)));
  if (found === undefined)
    return refuse(
      "is neither a Batch AI job (`properties` with `nodeCount`) nor an XT configuration (`compute-targets`, `general`, …)",
    );
  const notes = found.notes.map(sanitizeLine);
  const top = [`From ${sanitizeLine(basename(path))}.`, ...notes];
  io.stdout.write(
    `${top.map((note) => `# ${note}\n`).join("")}${await formatDocument(found.file)}`,
  );
  for (const note of notes) io.stderr.write(`flow: ${note}\n`);
  return EXIT.ok;
};

/** Undefined: it is of no kind that is known. */
function convert(
  document: Readonly<Record<string, unknown>>,
  folder: string,
): Imported | undefined {
  if (isBatchAi(document)) return importBatchAi(document, folder);
  if (isXt(document)) return importXt(document, folder);
  return undefined;
}
