/** The plug-in of the SLURM backend: it keeps its place in the flow file and says that this version cannot run it. */
import { type BackendPlugin, defineBackend, err, ok } from "@flow/core";

/** Accepts any options, so that a file that names this backend can still be planned and run elsewhere. */
export const backend: BackendPlugin = defineBackend<unknown, unknown>({
  type: "slurm",
  parseOptions: ok,
  parseTaskOptions: ok,
  open: () =>
    Promise.resolve(
      err(
        "The `slurm` backend is not available in this version of flow. Run flow with `--backend local` inside an allocation (`salloc`, or a batch script that calls `flow run`).",
      ),
    ),
});
