// `flow init [DIR]`: a small commented flow.yaml to begin with. It never overwrites.

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../invocation.ts";
import { sanitizeLine } from "../report/sanitize.ts";

const STARTER = `# A flow file: tasks, what they need and what they make. Try it:
#   flow plan      what would run, and why
#   flow run       runs it; a second time there is nothing to do
#   flow clean     removes what flow made
version: 1

params:
  words: { type: int, default: 5, min: 1, help: how many words to write }

tasks:
  write:
    desc: Write some words
    targets: [out/words.txt]
    actions:
      - seq -f 'word %g' \${{ params.words }} > \${{ target }}

  count: # two members: count@what=lines and count@what=bytes
    desc: Count the \${{ matrix.what }}
    matrix: { what: [lines, bytes] }
    deps: { words: out/words.txt } # made by \`write\`, so that runs first
    targets: ["out/\${{ matrix.what }}.txt"]
    actions:
      - if [ \${{ matrix.what }} = lines ]; then wc -l; else wc -c; fi < \${{ deps.words }} > \${{ target }}

  report:
    desc: Put both counts into one file
    deps: { counts: { task: count } } # the targets of all members
    targets: [out/report.txt]
    actions:
      - cat \${{ deps.counts }} > \${{ target }}
`;

export const command: Command = (invocation, io) => {
  const directory = resolve(io.cwd, invocation.positionals[0] ?? ".");
  const file = join(directory, "flow.yaml");
  const shown = sanitizeLine(relative(io.cwd, file));
  if (existsSync(file)) {
    io.stderr.write(`flow: ${shown} is there already; it was left as it is.\n`);
    return Promise.resolve(EXIT.usage);
  }
  mkdirSync(directory, { recursive: true });
  writeFileSync(file, STARTER, { flag: "wx" });
  if (invocation.has("json")) io.stdout.write(`${JSON.stringify({ file })}\n`);
  io.stderr.write(`Wrote ${shown}. Next: flow plan, then flow run\n`);
  return Promise.resolve(EXIT.ok);
};
