// Output for logs and other programs: one line per thing that happened, with its time; nothing is
// ever rewritten, names are never cut.

import { hostname } from "node:os";
import { formatDuration, type RunEvent } from "@flow/core";
import type { Output } from "../io.ts";
import type { Style } from "./color.ts";
import { timeLeft } from "./eta.ts";
import { type EventLine, eventLine, type LineContext, type LineKind } from "./event-lines.ts";
import type { FailureContext } from "./failure-block.ts";
import type { GitHub } from "./github.ts";
import { RunView } from "./run-view.ts";
import type { Monotonic, Screen } from "./screen.ts";
import { summary, tasks } from "./summary.ts";

const WORDS: Readonly<Record<LineKind, readonly [word: string, style: Style]>> = {
  start: ["start", "active"],
  adopted: ["adopted", "active"],
  done: ["done", "good"],
  failed: ["FAILED", "bad"],
  allowed: ["failed", "warn"],
  again: ["again", "warn"],
  unknown: ["UNKNOWN", "warn"],
  known: ["known", "dim"],
  cancelled: ["cancel", "warn"],
  held: ["waits", "warn"],
  fresh: ["fresh", "dim"],
  skipped: ["skipped", "dim"],
  stale: ["why", "dim"],
  removed: ["removed", "dim"],
  waiting: ["waits", "dim"],
  warning: ["warning", "warn"],
  stopping: ["stop", "warn"],
};

const WORD_WIDTH = 7;

/** A sign of life after this long without a line. */
const STATUS_AFTER_MS = 60_000;

/** Starts of one template that follow each other within this time share a line. */
const BATCH_MS = 250;

export interface PlainOptions extends FailureContext, LineContext {
  readonly version: string;
  /** Set where the output is a GitHub job's. */
  readonly github: GitHub | undefined;
}

export class PlainScreen implements Screen {
  readonly tickMs: number = BATCH_MS;
  readonly #output: Output;
  readonly #options: PlainOptions;
  readonly #now: Monotonic;
  readonly #view = new RunView(hostname());
  #starts: string[] = [];
  #startsTemplate = "";
  #startsAt = 0;
  #startsWall = 0;
  #quietSince: number;
  #wallOffset = 0;

  constructor(output: Output, options: PlainOptions, now: Monotonic) {
    this.#output = output;
    this.#options = options;
    this.#now = now;
    this.#quietSince = now();
  }

  event(event: RunEvent): void {
    this.#view.apply(event);
    this.#wallOffset = event.wall - this.#now();
    if (event.type === "run/started") {
      this.#print([header(event, this.#options.version)]);
      return;
    }
    if (event.type === "run/ended") {
      this.#end();
      return;
    }
    const line = eventLine(event, this.#view, this.#options);
    if (line === undefined) return;
    if (line.kind === "start" && "template" in event) this.#start(line.text, event);
    else {
      this.#flushStarts();
      this.#printEvent(line, event.wall);
    }
  }

  tick(): void {
    const now = this.#now();
    if (this.#starts.length > 0 && now - this.#startsAt >= BATCH_MS) this.#flushStarts();
    if (this.#view.ended === undefined && now - this.#quietSince >= STATUS_AFTER_MS) this.#status();
  }

  close(): void {
    this.#flushStarts();
  }

  #start(task: string, { template, wall }: { template: string; wall: number }): void {
    if (template !== this.#startsTemplate) this.#flushStarts();
    if (this.#starts.length === 0) {
      this.#startsAt = this.#now();
      this.#startsWall = wall;
    }
    this.#startsTemplate = template;
    this.#starts.push(task);
  }

  #flushStarts(): void {
    const [first] = this.#starts;
    if (first === undefined) return;
    const text =
      this.#starts.length === 1 ? first : `${this.#starts.length} × ${this.#startsTemplate}`;
    this.#starts = [];
    this.#printEvent({ kind: "start", text }, this.#startsWall);
  }

  #printEvent({ kind, text }: EventLine, wall: number): void {
    const [word, style] = WORDS[kind];
    const { total } = this.#view;
    const settled = String(this.#view.settled).padStart(String(total).length);
    const styled = this.#options.paint(style, word.padEnd(WORD_WIDTH));
    this.#print([`${clock(wall)} ${styled} [${settled}/${total}] ${text}`]);
  }

  #status(): void {
    const view = this.#view;
    const running = view.active.filter(({ status }) => status === "running").length;
    const left = timeLeft(view, view.elapsedMs + (this.#now() - this.#quietSince));
    const facts = [
      `${view.settled}/${view.total} settled`,
      `${running} running`,
      ...(view.failures.length > 0 ? [`${view.failures.length} failed`] : []),
      ...(left === undefined
        ? []
        : [`about ${formatDuration(left[0])} to ${formatDuration(left[1])} left`]),
    ];
    this.#print([`${clock(this.#now() + this.#wallOffset)} status  ${facts.join(", ")}`]);
  }

  #end(): void {
    this.#flushStarts();
    const lines = summary(this.#view, this.#options);
    this.#print(this.#options.github?.wrap(lines) ?? lines);
    this.#options.github?.finish(this.#view);
  }

  #print(lines: readonly string[]): void {
    this.#quietSince = this.#now();
    this.#output.write(`${lines.join("\n")}\n`);
  }
}

/** `flow 0.1.0 run r7k2 mnist.flow.yaml: 128 tasks, 9 at once` */
export function header(
  { run, file, total, slots }: Extract<RunEvent, { type: "run/started" }>,
  version: string,
): string {
  const wide = slots === undefined ? "" : `, ${slots} at once`;
  return `flow ${version} run ${run} ${file}: ${tasks(total)}${wide}`;
}

/** Local time of day. */
function clock(wall: number): string {
  const time = new Date(wall);
  return [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
}
