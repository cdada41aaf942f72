/**
 * What a node-side runner is asked to do, and the two spellings of it: JSON for `flow_task.py`, shell text for
 * `flow-runner.sh`. The meaning of every member, and its default, is in this package's README.
 */

/** What a signal to the runner means: nothing, pass it on, or a stop request with this reason. */
export type SignalMeaning = "ignore" | "forward" | (string & {});

/** Signals a runner can give a meaning to. */
export type RunnerSignal = "TERM" | "INT" | "HUP" | "USR1" | "USR2" | "CONT";

const STOP_SIGNALS = ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "none"] as const;

/** What a runner can send to a program that is to stop. */
export type StopSignal = (typeof STOP_SIGNALS)[number];

/** The signal of a name such as `SIGTERM`, `TERM` or `none`; undefined when a runner cannot send it. */
export function parseStopSignal(name: string): StopSignal | undefined {
  const short = name.replace(/^SIG/, "");
  return STOP_SIGNALS.find((signal) => signal === short);
}

/** One command, without a shell unless `argv` names one. */
export interface RunnerAction {
  readonly argv: readonly string[];
  /** Absent: the attempt's. */
  readonly cwd?: string;
  /** Added to the attempt's; `null` removes a variable. */
  readonly env?: Readonly<Record<string, string | null>>;
  /** A file. Absent: `/dev/null`. */
  readonly stdin?: string;
  /** Seconds until a stop with reason `timeout`. */
  readonly timeout_s?: number;
  /** Exit codes that count as 0. @default [0] */
  readonly ok_exit?: readonly number[];
}

/** One attempt, as `spec.json` holds it. Times are seconds and may have fractions. */
export interface RunnerSpec {
  readonly version: 1;
  /** The attempt key; never empty, never with a newline. */
  readonly key: string;
  readonly actions: readonly RunnerAction[];
  readonly finally?: readonly RunnerAction[];
  /** Absent: the attempt directory. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | null>>;
  /** Octal text such as `"0077"`. Absent: inherited. */
  readonly umask?: string;
  readonly make_dirs?: readonly string[];
  /** Made before the start, removed after the end. */
  readonly tmp_dir?: string;
  readonly timeout_s?: number;
  /** Unix seconds on the node's clock at which the job will be killed from outside. */
  readonly deadline?: number;
  readonly stop?: {
    /** @default "TERM" */
    readonly signal?: StopSignal;
    /** @default 60 */
    readonly grace_s?: number;
    /** How often the stop file is looked for; 0: never. @default 0 */
    readonly poll_s?: number;
    /** Asked once when a signal came; its first line `REASON [KILL_AT]` replaces what the signal says. */
    readonly cause?: readonly string[];
  };
  /** @default { TERM: "shutdown", INT: "user", HUP: "ignore" } */
  readonly signals?: Readonly<Partial<Record<RunnerSignal, SignalMeaning>>>;
  readonly requeue?: {
    readonly codes: readonly number[];
    /** The runner's own exit status then. Absent: the program's code. */
    readonly exit?: number;
    /** Runs after the result is written. */
    readonly argv?: readonly string[];
  };
}

/** The text of `spec.json`. */
export function jsonSpec(spec: RunnerSpec): string {
  return `${JSON.stringify(spec)}\n`;
}

/**
 * The text of `spec.sh`: assignments and functions, every value in single quotes so that the shell expands nothing.
 * Throws for what no process can be given: a NUL character.
 */
export function shellSpec(spec: RunnerSpec): string {
  const actions = [...spec.actions, ...(spec.finally ?? [])];
  const lines = [
    "flow_version=1",
    assign("key", spec.key),
    assign("cwd", spec.cwd),
    assign("umask", spec.umask),
    assign("tmp_dir", spec.tmp_dir),
    assign("stop_file", spec.env?.["FLOW_STOP_FILE"]),
    assign("resume", spec.env?.["FLOW_RESUME"]),
    assign("timeout_ms", milliseconds(spec.timeout_s)),
    assign("deadline", spec.deadline),
    assign("stop_signal", spec.stop?.signal),
    assign("grace_ms", milliseconds(spec.stop?.grace_s)),
    assign("poll_ms", milliseconds(spec.stop?.poll_s)),
    assign("actions", spec.actions.length),
    assign("finally", spec.finally?.length),
    ...Object.entries(spec.signals ?? {}).map(([name, meaning]) =>
      assign(`signal_${name}`, meaning),
    ),
    ...requeueLines(spec.requeue),
    ...(spec.stop?.cause === undefined || spec.stop.cause.length === 0
      ? []
      : ["flow_has_cause=1", define("cause", [words(spec.stop.cause)])]),
    define("make_dirs", makeDirectories([...(spec.make_dirs ?? []), spec.tmp_dir])),
    define("env", environment(spec.env ?? {})),
    ...actions.flatMap((action, index) => actionLines(action, index + 1, spec.env ?? {})),
  ];
  return `${lines.filter((line) => line !== "").join("\n")}\n`;
}

type Environment = Readonly<Record<string, string | null>>;

function actionLines(action: RunnerAction, number: number, common: Environment): readonly string[] {
  const odd = Object.entries({ ...common, ...action.env }).filter(([name]) => !isIdentifier(name));
  const through = odd.map(([name, value]) =>
    value === null ? ["-u", name] : [`${name}=${value}`],
  );
  const prefix = odd.length === 0 ? [] : ["env", ...through.flat()];
  return [
    // Every action says all of its values, so that none is taken over from the runner's environment.
    `flow_cwd_${number}=${quote(action.cwd ?? "")}`,
    `flow_stdin_${number}=${quote(action.stdin ?? "")}`,
    `flow_timeout_ms_${number}=${quote(String(milliseconds(action.timeout_s) ?? ""))}`,
    `flow_ok_${number}=${quote((action.ok_exit ?? [0]).join(" "))}`,
    define(`env_${number}`, environment(action.env ?? {})),
    define(`exec_${number}`, [`exec "$@" ${words([...prefix, ...action.argv])}`]),
  ];
}

function requeueLines(requeue: RunnerSpec["requeue"]): readonly string[] {
  if (requeue === undefined) return [];
  return [
    assign("requeue_codes", requeue.codes.join(" ")),
    assign("requeue_exit", requeue.exit),
    ...(requeue.argv === undefined || requeue.argv.length === 0
      ? []
      : ["flow_has_requeue=1", define("requeue", [words(requeue.argv)])]),
  ];
}

function makeDirectories(paths: readonly (string | undefined)[]): readonly string[] {
  const wanted = paths.filter((path) => path !== undefined);
  return wanted.length === 0 ? [] : [`mkdir -p -- ${words(wanted)}`];
}

/** Variables whose names no shell can hold are left to env(1), in front of the program. */
function environment(env: Environment): readonly string[] {
  return Object.entries(env)
    .filter(([name]) => isIdentifier(name))
    .map(([name, value]) => (value === null ? `unset ${name}` : `export ${name}=${quote(value)}`));
}

function isIdentifier(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
}

function define(name: string, body: readonly string[]): string {
  return `flow_${name}() {\n${body.length === 0 ? ":" : body.join("\n")}\n}`;
}

function assign(name: string, value: string | number | null | undefined): string {
  return value === undefined || value === null ? "" : `flow_${name}=${quote(String(value))}`;
}

function words(argv: readonly string[]): string {
  return argv.map(quote).join(" ");
}

function quote(text: string): string {
  if (text.includes("\0")) throw new Error("a NUL character cannot be passed to a process");
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.max(0, Math.ceil(seconds * 1000));
}
