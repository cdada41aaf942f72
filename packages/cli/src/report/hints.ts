// What known failures usually mean. A hint is a guess and says what to do about it.

import type { Outcome } from "@flow/core";

interface Hint {
  readonly sign: RegExp;
  /** `$1` is the first group of the sign. */
  readonly hint: string;
}

/** Looked for in the last lines of the log, in this order. */
const IN_LOG: readonly Hint[] = [
  {
    sign: /CUDA out of memory|CUBLAS_STATUS_ALLOC_FAILED|OutOfMemoryError.*(?:GPU|CUDA)/i,
    hint: "the GPU's memory was full: declare `resources.gpu_mem`, or use a smaller batch",
  },
  {
    sign: /ModuleNotFoundError: No module named '([^']+)'/,
    hint: "the Python that ran has no module $1: activate its environment in the action, or install it",
  },
  {
    sign: /Cannot find (?:module|package) '([^']+)'/,
    hint: "Node.js found no module $1: run `npm install`, or check the path",
  },
  {
    sign: /([^\s:]+): (?:command )?not found/,
    hint: "the shell found no command $1: install it, or check PATH in this shell",
  },
  {
    sign: /No space left on device|Errno 28|ENOSPC/,
    hint: "the disk is full",
  },
  {
    sign: /Address already in use|EADDRINUSE/i,
    hint: "a port is taken: two tasks may want the same one; a pool of capacity 1 keeps them apart",
  },
  {
    sign: /Too many open files|EMFILE/,
    hint: "raise the limit of open files (`ulimit -n`) in the shell that starts flow",
  },
  {
    sign: /Argument list too long|E2BIG/,
    hint: "the system starts no program with that much text: read the names from the file $FLOW_INPUTS_FILE, or from a folder",
  },
  {
    sign: /unbound variable|parameter not set/,
    hint: "a variable of the shell is not set: `env` of the task sets it, templates write `${{ … }}`",
  },
];

const EXIT_CODES: Readonly<Record<number, string>> = {
  126: "a file is not executable: `chmod +x` it, or start it through its interpreter",
  127: "a command was not found: install it, or check PATH",
  137: "it was killed by SIGKILL: often the kernel, because memory ran out; declare `resources.mem`",
  139: "it crashed (segmentation fault)",
};

/** A hint for a failure with these last lines of its log; undefined when nothing is known. */
export function hintFor(
  { outcome }: { readonly outcome: Outcome },
  lines: readonly string[],
): string | undefined {
  if (outcome.type === "oom") {
    return outcome.device === "gpu"
      ? "declare `resources.gpu_mem`, or use a smaller batch"
      : "declare `resources.mem` so that less runs beside it; `retries: {for: [oom], escalate: {oom: {mem: x2}}}` asks for more";
  }
  if (outcome.type === "failed" && outcome.kind !== "exit" && outcome.kind !== "signal") {
    return BY_KIND[outcome.kind];
  }
  const text = lines.join("\n");
  for (const { sign, hint } of IN_LOG) {
    const match = sign.exec(text);
    if (match !== null) return hint.replace("$1", match[1] ?? "");
  }
  return outcome.type === "failed" && outcome.code !== undefined
    ? EXIT_CODES[outcome.code]
    : undefined;
}

const BY_KIND: Readonly<Record<string, string>> = {
  timeout: "raise `timeout:`; with `checkpoint:` it goes on where it was",
  hung: "it gave no sign of life for `hang_after`: report progress, or raise it",
  "target-missing": "the actions ended well but did not write it: check its path and `cwd`",
  "no-progress":
    "three requeues in a row brought nothing new: does it save a checkpoint before it exits?",
  "too-many-requeues": "raise `max_requeues`",
};
