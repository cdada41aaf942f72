// Opens the form of output that suits, and keeps whatever goes wrong in it away from the run.

import { randomUUID } from "node:crypto";
import { appendFileSync, writeFileSync } from "node:fs";
import { isAbsolute, relative } from "node:path";
import type { RunEvent } from "@flow/core";
import type { Invocation } from "../invocation.ts";
import type { Io } from "../io.ts";
import { VERSION } from "../version.ts";
import { paintFor } from "./color.ts";
import type { FailureContext, Rerun } from "./failure-block.ts";
import { GitHub } from "./github.ts";
import { JsonScreen } from "./json.ts";
import { LiveScreen } from "./live.ts";
import { readTail } from "./log-tail.ts";
import { maskFor } from "./mask.ts";
import { PlainScreen } from "./plain.ts";
import { QuietScreen } from "./quiet.ts";
import { sanitizeLine } from "./sanitize.ts";
import type { Screen } from "./screen.ts";
import { terminalProgress } from "./terminal-progress.ts";

/** Follows a run. It never throws and never changes the run. */
export interface Reporter {
  event(event: RunEvent): void;
  /** Ends it; nothing is written afterwards. */
  close(): void;
}

export type OutputMode = "live" | "plain" | "quiet" | "json";

export interface ReporterOptions {
  readonly mode: OutputMode;
  /** Says also why tasks run and which are fresh or left out. */
  readonly verbose: boolean;
  /** The value of `--color`. */
  readonly color: string | undefined;
  /** Names of the variables whose values (in the Io's environment) are hidden. */
  readonly secrets: readonly string[];
  readonly rerun: Rerun;
  /** Milliseconds since an event happened, where events come late. @default none have passed */
  readonly lagMs?: (event: RunEvent) => number;
  /** Absolute path of a file that gets the events as JSON lines; absent: none. */
  readonly reportFile?: string | undefined;
}

/** `--json`, `-q`, `--output`, or FLOW_OUTPUT, or what the terminal can do; `auto` never means JSON. */
export function outputMode(invocation: Pick<Invocation, "has" | "value">, io: Io): OutputMode {
  if (invocation.has("json")) return "json";
  if (invocation.has("quiet")) return "quiet";
  const wanted = invocation.value("output") ?? io.env["FLOW_OUTPUT"] ?? "auto";
  if (wanted === "live" || wanted === "plain" || wanted === "quiet" || wanted === "json") {
    return wanted;
  }
  const { env } = io;
  const isCi = env["CI"] !== undefined && env["CI"] !== "" && env["CI"] !== "false";
  const isAccessible = env["ACCESSIBLE"] !== undefined && env["ACCESSIBLE"] !== "";
  const isLive = io.stderr.isTTY && env["TERM"] !== "dumb" && !isCi && !isAccessible;
  return isLive ? "live" : "plain";
}

export function openReporter(options: ReporterOptions, io: Io): Reporter {
  const shown = guarded(openScreen(options, io), "it can no longer be shown", io);
  const { reportFile } = options;
  if (reportFile === undefined) return shown;
  const written = guarded(
    openReportFile(reportFile, options, io),
    `${reportFile} is cut short`,
    io,
  );
  return {
    event: (event) => {
      shown.event(event);
      written.event(event);
    },
    close: () => {
      shown.close();
      written.close();
    },
  };
}

/** A reporter whose screen may break; what that means is said once. */
function guarded(screen: Screen, consequence: string, io: Io): Reporter {
  let isOpen = true;
  const guard = (work: () => void): void => {
    if (!isOpen) return;
    try {
      work();
    } catch (error) {
      isOpen = false;
      const reason = sanitizeLine(error instanceof Error ? error.message : String(error));
      io.stderr.write(`\nflow: the run goes on, but ${consequence}: ${reason}\n`);
    }
  };
  const timer = setInterval(() => guard(() => screen.tick()), screen.tickMs);
  timer.unref();
  return {
    event: (event) => guard(() => screen.event(event)),
    close: () => {
      clearInterval(timer);
      guard(() => screen.close());
      isOpen = false;
    },
  };
}

/** The file is made when the first event arrives, so that a path that cannot be written is said then. */
function openReportFile(file: string, options: ReporterOptions, io: Io): Screen {
  let isMade = false;
  const write = (line: string): void => {
    if (isMade) appendFileSync(file, line);
    else writeFileSync(file, line);
    isMade = true;
  };
  return new JsonScreen(write, maskFor(options.secrets, io.env));
}

function openScreen(options: ReporterOptions, io: Io): Screen {
  const mask = maskFor(options.secrets, io.env);
  if (options.mode === "json") return new JsonScreen((line) => void io.stdout.write(line), mask);
  const displayPath = (path: string): string => {
    const near = relative(io.cwd, path);
    return isAbsolute(path) && !near.startsWith("..") ? near : path;
  };
  const context: FailureContext = {
    paint: paintFor(io.stderr, options.color, io.env),
    mask,
    readTail,
    rerun: options.rerun,
    displayPath,
  };
  const now = (): number => performance.now();
  const { verbose } = options;
  const github = gitHub(io);
  if (options.mode === "quiet") return new QuietScreen(io.stderr, { ...context, github });
  if (options.mode === "live") {
    const lagMs = options.lagMs ?? (() => 0);
    const progress = terminalProgress(io.env);
    return new LiveScreen(
      io.stderr,
      { ...context, verbose, version: VERSION, lagMs, progress },
      now,
    );
  }
  return new PlainScreen(io.stderr, { ...context, verbose, version: VERSION, github }, now);
}

function gitHub(io: Io): GitHub | undefined {
  if (io.env["GITHUB_ACTIONS"] !== "true") return undefined;
  const file = io.env["GITHUB_STEP_SUMMARY"];
  return new GitHub({
    write: (text) => void io.stderr.write(text),
    appendSummary: (markdown) => {
      if (file !== undefined && file !== "") appendFileSync(file, markdown);
    },
    readTail,
    token: randomUUID(),
  });
}
