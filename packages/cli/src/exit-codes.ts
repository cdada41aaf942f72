// The exit codes of the command line, the one table behind help and reference.

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  internal: 3,
  outside: 4,
  stale: 5,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What each code says, for help and reference. */
export const EXIT_MEANINGS: Readonly<Record<ExitCode, string>> = {
  0: "all is well",
  1: "a task failed",
  2: "wrong usage or an error in the flow file; nothing was started",
  3: "an internal error, or flow's own state could not be read or written",
  4: "something outside was missing: a backend, resources, or what became of a task",
  5: "`--check` found work to do",
  130: "stopped by Ctrl-C",
  143: "stopped by SIGTERM",
};
