#!/usr/bin/env node
// The command line's entry. It imports nothing that `flow version` does not need.

import { commandLine } from "./command-line.ts";
import { processIo } from "./process-io.ts";

process.exitCode = await commandLine(process.argv.slice(2), processIo());
