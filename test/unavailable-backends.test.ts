/** Backends of later versions: their names are known, opening one says what to do instead. */
import { backend as azure } from "@flow/backend-azure";
import type { BackendContext } from "@flow/core";
import { describe, expect, it } from "vitest";

describe("a backend of a later version", () => {
  it.each([
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
