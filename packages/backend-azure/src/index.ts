/** The plug-in `azure-batch`: tasks of Azure Batch. The services' clients are loaded when it is opened. */
import { type BackendPlugin, defineBackend } from "@flow/core";
import {
  type AzureOptions,
  type AzureTaskOptions,
  parseOptions,
  parseTaskOptions,
} from "./options.ts";
import { refuse } from "./refuse.ts";
import { requests } from "./requests.ts";

export type { AzureOptions, AzureTaskOptions } from "./options.ts";

export const backend: BackendPlugin<AzureOptions, AzureTaskOptions> = defineBackend({
  type: "azure-batch",
  parseOptions,
  parseTaskOptions,
  refuse,
  requests,
  async cleanUp(context, runs) {
    const { foundation } = await import("./foundation.ts");
    const made = foundation(context);
    return made.ok ? made.value.cleanUp.everything(runs) : { removed: [], problems: [made.error] };
  },
  async open(context) {
    const { open } = await import("./open.ts");
    return open(context);
  },
});
