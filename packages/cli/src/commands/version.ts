// `flow version`

import { EXIT } from "../exit-codes.ts";
import type { Command } from "../invocation.ts";
import { VERSION } from "../version.ts";

export const command: Command = (invocation, io) => {
  const text = invocation.has("json")
    ? JSON.stringify({ flow: VERSION, node: process.versions.node })
    : VERSION;
  io.stdout.write(`${text}\n`);
  return Promise.resolve(EXIT.ok);
};
