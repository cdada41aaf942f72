// The programs that the conformance suite runs, as data. A backend that runs real commands gets them
// as shell commands from `shellAction`; a fake backend plays them.

import type { JobAction } from "../../backend/backend.ts";

/**
 * What an action of a test job does. Each first leaves a line with its `name` in the job's witness,
 * so that it is known from outside how often it began.
 */
export type Program = { readonly name: string } & (
  | { readonly does: "exit"; readonly code: number }
  /** Reports progress, then exits. */
  | { readonly does: "advance"; readonly code: number }
  /** Ends itself with a signal. */
  | { readonly does: "die"; readonly signal: string }
  | { readonly does: "print"; readonly stdout: string; readonly stderr: string }
  /** Prints `NAME=value` for variables that are set and `NAME` for others. */
  | { readonly does: "show"; readonly variables: readonly string[] }
  /** Copies its standard input to its standard output. */
  | { readonly does: "copy" }
  /** Prints the working directory. */
  | { readonly does: "where" }
  /** Runs until the job is released, then exits 0. Dies of a stop signal. */
  | { readonly does: "hold" }
  /** Like `hold`, but on a stop signal prints whether the stop file is there and exits with `code`. */
  | { readonly does: "obey"; readonly code: number }
  /** Like `hold`, but takes no notice of a stop signal. */
  | { readonly does: "ignore" }
  /**
   * Starts another process that runs until the job is released; one that `strays` leaves the session.
   * Then waits for it, or ends at once with 0 when it `leaves`.
   */
  | { readonly does: "fork"; readonly strays: boolean; readonly leaves: boolean }
  /** Names a program that does not exist. */
  | { readonly does: "vanish" }
);

/** Where the programs of one job leave their traces. */
export interface ProgramFiles {
  /** Gets one line per start. */
  readonly witness: string;
  /** Its existence releases the job. */
  readonly release: string;
}

/** A program as an action for a backend that runs commands. The shell needs `sleep` and `setsid`. */
export function shellAction(program: Program, files: ProgramFiles, cwd: string): JobAction {
  const argv =
    program.does === "vanish" ? ["./no-such-program"] : ["sh", "-e", "-c", script(program, files)];
  return { argv, cwd, env: {}, timeoutMs: undefined, okExit: [0], stdin: undefined };
}

function script(program: Program, files: ProgramFiles): string {
  const begin = `printf '%s\\n' ${quote(program.name)} >>${quote(files.witness)}`;
  const wait = `until [ -e ${quote(files.release)} ]; do sleep 0.02; done`;
  return `${begin}\n${body(program, wait)}`;
}

function body(program: Program, wait: string): string {
  switch (program.does) {
    case "exit":
      return `exit ${program.code}`;
    case "advance":
      return `echo '{"k":"progress","done":1}' >>"$FLOW_EVENTS"\nexit ${program.code}`;
    case "die":
      return `kill -s ${program.signal.replace(/^SIG/, "")} $$`;
    case "print":
      return `printf %s ${quote(program.stdout)}\nprintf %s ${quote(program.stderr)} >&2`;
    case "show":
      return program.variables
        .map((name) => `printf '%s\\n' ${name}"\${${name}+=$${name}}"`)
        .join("\n");
    case "copy":
      return "exec cat";
    case "where":
      return "pwd";
    case "hold":
      return wait;
    case "obey": {
      const answer = `[ -e "$FLOW_STOP_FILE" ] && echo stop file || echo no stop file`;
      const inner = `trap '${answer}; exit ${program.code}' TERM\necho ready\n${wait}`;
      // A shell around it that would die of the signal, and take the code along.
      return `sh -c ${quote(inner)}\n:`;
    }
    case "ignore":
      return `trap '' TERM\necho ready\n${wait}`;
    case "fork": {
      const start = program.strays ? "setsid sh -c" : "sh -c";
      const end = program.leaves ? "" : "wait";
      return `${start} ${quote(wait)} >/dev/null 2>&1 &\necho ready\n${end}`;
    }
    default:
      return "";
  }
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
