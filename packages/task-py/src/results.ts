/**
 * Readers of what a runner leaves in an attempt directory. They take the text of a file and never touch the disk; what the
 * words mean for a task is decided elsewhere.
 */

/** Who holds an attempt, from `started`. Members the node could not tell are absent. */
export interface StartedRecord {
  readonly pid: number;
  /** Clock ticks since boot; with `boot` and `pid` it names the process for ever. */
  readonly startTicks?: number;
  readonly boot?: string;
  readonly host?: string;
  readonly uptimeSeconds?: number;
}

/** How an attempt ended, from `exit`. Absent members were not the case or not known. */
export interface ExitRecord {
  readonly code: number;
  /** 0: no signal. */
  readonly signal: number;
  /** The reason of the stop request, if one came. */
  readonly stopped?: string;
  /** How it came: `file`, `signal:NAME`, `timer`; with `+kill` when the grace ran out. */
  readonly cause?: string;
  /** From 1; 0: no action was started. */
  readonly action: number;
  readonly leaky: number;
  readonly error?: string;
  readonly uptimeSeconds?: number;
  readonly wallSeconds?: number;
  /** Processor time of everything that was waited for. */
  readonly userSeconds?: number;
  readonly systemSeconds?: number;
  /** Largest total of the process tree that was seen, in KiB. */
  readonly maxRssKib?: number;
}

/** The claim in the text of `started`; `undefined` when the text is torn or was written by somebody who fenced the attempt. */
export function parseStarted(text: string): StartedRecord | undefined {
  const word = parseWords(text);
  const pid = integer(word("pid"));
  if (pid === undefined) return undefined;
  return compact({
    pid,
    startTicks: integer(word("start")),
    boot: word("boot"),
    host: word("host"),
    uptimeSeconds: decimal(word("uptime")),
  });
}

/** The result in the text of `exit`; `undefined` while it does not end in a newline or has no code. */
export function parseExit(text: string): ExitRecord | undefined {
  const word = parseWords(text);
  const code = integer(word("code"));
  if (code === undefined) return undefined;
  return compact({
    code,
    signal: integer(word("signal")) ?? 0,
    stopped: word("stopped"),
    cause: word("cause"),
    action: integer(word("action")) ?? 0,
    leaky: integer(word("leaky")) ?? 0,
    error: word("error"),
    uptimeSeconds: decimal(word("uptime")),
    wallSeconds: decimal(word("wall")),
    userSeconds: decimal(word("user")),
    systemSeconds: decimal(word("sys")),
    maxRssKib: integer(word("rss")),
  });
}

function parseWords(text: string): (name: string) => string | undefined {
  const end = text.indexOf("\n");
  const found = new Map<string, string>();
  for (const pair of end === -1 ? [] : text.slice(0, end).split(" ")) {
    const at = pair.indexOf("=");
    if (at > 0) found.set(pair.slice(0, at), pair.slice(at + 1));
  }
  return (name) => {
    const value = found.get(name);
    return value === "-" || value === "" ? undefined : value;
  };
}

function integer(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

function decimal(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

/** The same object without the members that are `undefined`. */
function compact<T extends object>(record: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as T;
}
