/** Processes of one test, found by a variable that each of them inherited. */
import { readdirSync, readFileSync } from "node:fs";

/** Set in the environment of everything a test starts. */
export const MARK = "RIG_PROJECT";

export interface FoundProcess {
  readonly pid: number;
  readonly command: string;
}

/** All living processes that carry the mark. */
export function processesOf(mark: string): readonly FoundProcess[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const env = readFileSync(`/proc/${name}/environ`, "latin1").split("\0");
      if (!env.includes(`${MARK}=${mark}`)) return [];
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      return [{ pid: Number(name), command }];
    } catch {
      return []; // It ended meanwhile, or belongs to somebody else.
    }
  });
}

/** Those that are still there after a moment in which the dying may die. */
export async function leftBehind(mark: string): Promise<readonly FoundProcess[]> {
  const until = performance.now() + 30_000;
  for (;;) {
    const found = processesOf(mark);
    if (found.length === 0 || performance.now() > until) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
