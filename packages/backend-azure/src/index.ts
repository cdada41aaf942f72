/** The plug-in of the Azure Batch backend: it keeps its place in the flow file and says that this version cannot run it. */
import { type BackendPlugin, defineBackend, err, ok } from "@flow/core";

/** Accepts any options, so that a file that names this backend can still be planned and run elsewhere. */
export const backend: BackendPlugin = defineBackend<unknown, unknown>({
  type: "azure-batch",
  parseOptions: ok,
  parseTaskOptions: ok,
  open: () =>
    Promise.resolve(
      err(
        "The `azure-batch` backend is not available in this version of flow. Run flow with `--backend local` on a virtual machine that mounts the data.",
      ),
    ),
});
