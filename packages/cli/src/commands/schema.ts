// `flow schema [--events]`

import { jsonSchema } from "@flow/core/reading";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../invocation.ts";
import { eventSchema } from "../report/event-schema.ts";

export const command: Command = (invocation, io) => {
  const schema = invocation.has("events") ? eventSchema() : jsonSchema();
  io.stdout.write(`${JSON.stringify(schema, null, 2)}\n`);
  return Promise.resolve(EXIT.ok);
};
