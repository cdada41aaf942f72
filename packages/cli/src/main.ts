#!/usr/bin/env node
/** The command line's entry: argv to exit code. It imports nothing that `flow version` does not need. */
import manifest from "@flow/cli/package.json" with { type: "json" };

if (process.argv[2] === "version") process.stdout.write(`${manifest.version}\n`);
else {
  process.stderr.write("flow: usage: flow version\n");
  process.exitCode = 2;
}
