// Progress that the terminal itself shows, in its tab or the task bar: the sequence OSC 9;4. Sent
// only to terminals known to understand it, because others show it as text or beep.

import type { Io } from "../io.ts";

/** The sequences for one run; each is sent only when it says something new. */
export interface TerminalProgress {
  /** Of all tasks, so many are settled, and some have failed. */
  show(settled: number, total: number, hasFailed: boolean): string;
  /** Takes it away again. */
  clear(): string;
}

/** Undefined where the terminal is not known to understand it. */
export function terminalProgress(env: Io["env"]): TerminalProgress | undefined {
  if (!understands(env)) return undefined;
  let last = "";
  const once = (sequence: string): string => {
    if (sequence === last) return "";
    last = sequence;
    return sequence;
  };
  return {
    show: (settled, total, hasFailed) => {
      const percent = total === 0 ? 0 : Math.floor((100 * settled) / total);
      return once(`\u001b]9;4;${hasFailed ? 2 : 1};${percent}\u001b\\`);
    },
    clear: () => (last === "" ? "" : once("\u001b]9;4;0;\u001b\\")),
  };
}

/** A multiplexer in between passes nothing on. */
function understands(env: Io["env"]): boolean {
  const isSet = (name: string): boolean => env[name] !== undefined && env[name] !== "";
  if (isSet("TMUX") || isSet("STY")) return false;
  const program = env["TERM_PROGRAM"];
  return (
    isSet("WT_SESSION") ||
    env["ConEmuANSI"] === "ON" ||
    program === "WezTerm" ||
    program === "ghostty" ||
    (program === "iTerm.app" && (env["TERM_FEATURES"] ?? "").includes("P"))
  );
}
