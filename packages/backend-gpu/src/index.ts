/** The plug-in of the GPU backend: it keeps its place in the flow file and says that this version cannot run it. */
import { type BackendPlugin, defineBackend, err, ok } from "@flow/core";

/** Accepts any options, so that a file that names this backend can still be planned and run elsewhere. */
export const backend: BackendPlugin = defineBackend<unknown, unknown>({
  type: "gpu",
  parseOptions: ok,
  parseTaskOptions: ok,
  open: () =>
    Promise.resolve(
      err(
        "The `gpu` backend is not available in this version of flow. Use `type: local` and limit how many tasks run at once with `-n` or a pool; they see the GPUs that CUDA_VISIBLE_DEVICES names.",
      ),
    ),
});
