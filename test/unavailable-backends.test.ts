/** Backends of later versions: their names are known, opening one says what to do instead. */
import { backend as azure } from "@flow/backend-azure";
import { backend as gpu } from "@flow/backend-gpu";
import type { BackendContext } from "@flow/core";
import { describe, expect, it } from "vitest";

describe("a backend of a later version", () => {
  it.each([
    {
      plugin: gpu,
      type: "gpu",
      message:
        "The `gpu` backend is not available in this version of flow. Use `type: local` and limit how many tasks run at once with `-n` or a pool; they see the GPUs that CUDA_VISIBLE_DEVICES names.",
    },
    {
      plugin: azure,
      type: "azure-batch",
      message:
        "The `azure-batch` backend is not available in this version of flow. Run flow with `--backend local` on a virtual machine that mounts the data.",
    },
  ])("$type says what to use instead", async ({ plugin, type, message }) => {
    expect(plugin.type).toBe(type);
    const opened = await plugin.open({} as BackendContext<unknown>);
    expect(opened).toEqual({ ok: false, error: message });
  });
});
