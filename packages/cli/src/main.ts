#!/usr/bin/env node
// The command line's entry. It imports nothing that `flow version` does not need.

import { basename } from "node:path";
import { argumentsOf, commandLine } from "./command-line.ts";
import { optimiseLater } from "./engine.ts";
import { processIo } from "./process-io.ts";

// What a library calls is nothing that a person at a terminal can change.
process.noDeprecation = true;
optimiseLater();

process.exitCode = await commandLine(
  argumentsOf(basename(process.argv[1] ?? ""), process.argv.slice(2)),
  processIo(),
);
