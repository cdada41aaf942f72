/** GPUs that are there and cannot be shared yet. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "@flow/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openReader } from "../../src/reader/reader.ts";
import { amdNotice } from "../../src/reader/unsupported.ts";

let sys: string;

beforeEach(() => {
  sys = mkdtempSync(join(tmpdir(), "flow-sys-"));
  card("card0", "vendor");
  mkdirSync(join(sys, "class/drm/card0-DP-1"));
});

afterEach(() => {
  rmSync(sys, { recursive: true });
});

/** A card of the kernel's list, with one file that its driver shows. */
function card(name: string, file: string): void {
  const folder = join(sys, "class/drm", name, "device");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, file), "17163091968\n");
}

describe("AMD GPUs", () => {
  it("are named where no other GPU is found", async () => {
    card("card1", "mem_info_vram_total");
    const env = { PATH: "/nowhere", FLOW_NVML_LIBRARY: "/nowhere/libnvidia-ml.so.1" };
    expect(await openReader({ env, log: silentLog, sys })).toEqual({
      ok: false,
      error:
        "No GPU was found: the driver's library libnvidia-ml.so.1 was not found; " +
        "nvidia-smi was not found on PATH. " +
        "This machine has an AMD GPU (card1), which flow cannot share yet.",
    });
  });

  it("are counted, and nothing is said where there are none", () => {
    expect(amdNotice(sys)).toBeUndefined();
    expect(amdNotice(join(sys, "nowhere"))).toBeUndefined();
    card("card1", "mem_info_vram_total");
    card("card2", "mem_info_vram_total");
    expect(amdNotice(sys)).toBe(
      "This machine has 2 AMD GPUs (card1, card2), which flow cannot share yet.",
    );
  });
});
