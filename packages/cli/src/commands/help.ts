// `flow help [COMMAND]`

import { ALIASES, COMMAND_TABLE } from "../command-table.ts";
import { EXIT } from "../exit-codes.ts";
import { commandHelp, generalHelp } from "../help.ts";
import type { Command } from "../invocation.ts";

export const command: Command = async (invocation, io) => {
  const [verb] = invocation.positionals;
  const name = verb === undefined ? verb : (ALIASES[verb] ?? verb);
  const row = COMMAND_TABLE.find((one) => one.name === name);
  if (verb !== undefined && row === undefined) {
    const { reportUnknownVerb } = await import("../usage.ts");
    return reportUnknownVerb(verb, io);
  }
  io.stdout.write(row === undefined ? generalHelp() : commandHelp(row));
  return EXIT.ok;
};
