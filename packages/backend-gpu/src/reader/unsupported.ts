// GPUs that are seen but not shared: said in so many words, so that nobody looks for the reason.

import { readdirSync } from "node:fs";
import { join } from "node:path";

export const MIG_REASON: string =
  "it is divided by MIG, and instances cannot be shared yet; nothing is put on it";

/** Names of this machine's AMD GPUs (`card0`), as their driver lists them. */
function amdGpus(sys: string): readonly string[] {
  const cards = list(join(sys, "class/drm")).filter((name) => /^card\d+$/.test(name));
  return cards.filter((card) =>
    list(join(sys, "class/drm", card, "device")).includes("mem_info_vram_total"),
  );
}

/** A sentence about GPUs that are there and cannot be shared; undefined when there are none. */
export function amdNotice(sys: string = "/sys"): string | undefined {
  const cards = amdGpus(sys);
  if (cards.length === 0) return undefined;
  const which = cards.length === 1 ? "an AMD GPU" : `${cards.length} AMD GPUs`;
  return `This machine has ${which} (${cards.join(", ")}), which flow cannot share yet.`;
}

function list(path: string): readonly string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
}
