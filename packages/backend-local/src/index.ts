// The plug-in `local`: tasks as processes of this machine.

import { type BackendPlugin, defineBackend, ok } from "@flow/core";
import { openLocal } from "./backend.ts";
import { type LocalOptions, parseOptions, parseTaskOptions } from "./options.ts";
import { refuse } from "./refuse.ts";

export type { LocalOptions } from "./options.ts";

export const backend: BackendPlugin<LocalOptions, Readonly<Record<string, never>>> = defineBackend({
  type: "local",
  parseOptions,
  parseTaskOptions,
  refuse,
  open: async (context) => ok(openLocal(context)),
});
