/** The options of the backend, and what is said about wrong ones. */
import { describe, expect, it } from "vitest";
import { parseOptions, parseTaskOptions } from "../src/options.ts";

const least = {
  endpoint: "https://myaccount.westeurope.batch.azure.com",
  storage: { account: "mystorage" },
  vm_size: "standard_d2s_v3",
};
const issues = (more: object) => {
  const parsed = parseOptions({ ...least, ...more });
  return parsed.ok ? [] : parsed.error.map(({ path, message }) => `${path.join(".")}: ${message}`);
};

describe("options", () => {
  it("need little, and the rest has values that cost little", () => {
    const parsed = parseOptions(least);
    expect(parsed.ok && parsed.value).toMatchObject({
      pool: "ephemeral",
      scale: "auto",
      auth: "key",
      key_variable: "AZURE_BATCH_ACCESS_KEY",
      max_time: 86_400_000,
      storage: { key_variable: "AZURE_STORAGE_KEY" },
    });
  });

  it("take plain HTTP only from this machine", () => {
    expect(issues({ endpoint: "http://127.0.0.1:1234" })).toEqual([]);
    expect(issues({ endpoint: "http://batch.example.com" })).toEqual([
      "endpoint: Expected an https:// address, such as `https://myaccount.westeurope.batch.azure.com`.",
    ]);
  });

  it("say what a pool of flow's own needs, and what one of the user's cannot be given", () => {
    expect(issues({ vm_size: undefined })).toEqual([
      "vm_size: Expected the size of the nodes, such as `standard_d2s_v3`.",
    ]);
    expect(issues({ pool: { id: "mine" }, priority: "low", max_node_hours: 5 })).toEqual([
      "vm_size: Only pools that flow makes have it; `pool: {id}` names one that is there.",
      "priority: Only pools that flow makes have it; `pool: {id}` names one that is there.",
      "max_node_hours: Only pools that flow makes have it; `pool: {id}` names one that is there.",
    ]);
  });

  it("join mounts to what uses them", () => {
    const mounts = { data: { blob: "inputs" }, home: { nfs: "server:/export" } };
    expect(issues({ mounts, state: "home" })).toEqual([]);
    expect(issues({ mounts, state: "nowhere" })).toEqual([
      "state: Expected one of the names under `mounts`, not `nowhere`.",
    ]);
    expect(issues({ mounts, upload: { scripts: "data/scripts", more: "home" } })).toEqual([]);
    expect(issues({ mounts, upload: { scripts: "nowhere/scripts" } })).toEqual([
      "upload.scripts: Expected a path that begins with one of the names under `mounts`.",
    ]);
    expect(issues({ mounts: { data: { smb: "x" } } })).toEqual([
      "mounts.data: Expected `{blob: CONTAINER}`, `{files: SHARE}` or `{nfs: SERVER:/PATH}`.",
    ]);
  });

  it("of a task are those of its nodes", () => {
    expect(parseTaskOptions({ priority: "low", dedicated_after: 2 }).ok).toBe(true);
    expect(parseTaskOptions({ endpoint: "https://x.y" }).ok).toBe(false);
  });
});
