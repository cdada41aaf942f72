// Output for a terminal: lines that stay scroll up, the footer below them is drawn again in place. It
// sets no mode of the terminal, so there is nothing to restore, whatever becomes of flow; only the
// progress in the terminal's tab stays if flow is killed.

import { hostname } from "node:os";
import type { RunEvent } from "@flow/core";
import type { Output } from "../io.ts";
import { eventLine, type LineContext, type LineKind } from "./event-lines.ts";
import type { FailureContext } from "./failure-block.ts";
import { type FooterLine, footer } from "./footer.ts";
import { header } from "./plain.ts";
import { type ActiveTask, RunView } from "./run-view.ts";
import type { Monotonic, Screen } from "./screen.ts";
import { summary } from "./summary.ts";
import { type Sign, SYMBOLS } from "./symbols.ts";
import type { TerminalProgress } from "./terminal-progress.ts";

const FRAME_MS = 100;

/** Without events the footer is drawn this often, for its clocks and last lines. */
const IDLE_FRAME_MS = 1000;

const CLEAR_TO_END_OF_LINE = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";

const SIGNS: Readonly<Record<LineKind, Sign>> = {
  start: SYMBOLS.running,
  adopted: { sign: "+", word: "adopted", style: "active" },
  done: SYMBOLS.done,
  failed: SYMBOLS.failed,
  allowed: SYMBOLS.allowed,
  again: SYMBOLS.again,
  unknown: SYMBOLS.unknown,
  known: { sign: " ", word: "known", style: "dim" },
  cancelled: SYMBOLS.cancelled,
  held: SYMBOLS.held,
  fresh: SYMBOLS.fresh,
  skipped: SYMBOLS.skipped,
  stale: { sign: " ", word: "why", style: "dim" },
  removed: { sign: " ", word: "removed", style: "dim" },
  waiting: { sign: " ", word: "waits", style: "dim" },
  warning: { sign: "!", word: "warning", style: "warn" },
  stopping: { sign: "◼", word: "stopping", style: "warn" },
};

export interface LiveOptions extends FailureContext, LineContext {
  readonly version: string;
  /** Milliseconds since an event happened, for a screen that gets events late. */
  readonly lagMs: (event: RunEvent) => number;
  /** What the terminal shows beside the screen; absent where it cannot. */
  readonly progress: TerminalProgress | undefined;
}

export class LiveScreen implements Screen {
  readonly tickMs: number = FRAME_MS;
  readonly #output: Output;
  readonly #options: LiveOptions;
  readonly #now: Monotonic;
  readonly #view = new RunView(hostname());
  readonly #stopListening: () => void;
  #pending: string[] = [];
  #drawn: readonly FooterLine[] = [];
  #isChanged = false;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #eventAt = 0;

  constructor(output: Output, options: LiveOptions, now: Monotonic) {
    this.#output = output;
    this.#options = options;
    this.#now = now;
    this.#stopListening = output.onResize(() => {
      this.#isChanged = true;
    });
  }

  event(event: RunEvent): void {
    this.#view.apply(event);
    this.#eventAt = this.#now() - this.#options.lagMs(event);
    this.#isChanged = true;
    if (event.type === "run/started") this.#pending.push(header(event, this.#options.version));
    const line = eventLine(event, this.#view, this.#options);
    if (line !== undefined && line.kind !== "start") {
      const { sign, style } = SIGNS[line.kind];
      this.#pending.push(`${this.#options.paint(style, sign)} ${line.text}`);
    }
    if (event.type === "run/ended") {
      this.#pending.push(...summary(this.#view, this.#options));
      this.#draw([]);
    }
  }

  tick(): void {
    if (this.#view.started === undefined || this.#view.ended !== undefined) return;
    const isDue = this.#isChanged || this.#now() - this.#drawnAt >= IDLE_FRAME_MS;
    if (isDue) this.#draw(this.#footer());
  }

  close(): void {
    this.#stopListening();
    this.#draw([]);
  }

  #footer(): readonly FooterLine[] {
    const { columns, rows } = this.#output;
    const sinceEvent = this.#now() - this.#eventAt;
    return footer({
      view: this.#view,
      nowMs: this.#view.elapsedMs + sinceEvent,
      columns: columns ?? 80,
      rows: rows ?? 24,
      paint: this.#options.paint,
      lastLine: (task) => this.#lastLine(task),
    });
  }

  /** The last line of whichever stream was written to last. */
  #lastLine({ stdout, stderr }: ActiveTask): string | undefined {
    const tails = [stdout, stderr].flatMap((path) =>
      path === undefined ? [] : (this.#options.readTail(path, 1) ?? []),
    );
    tails.sort((a, b) => b.modifiedMs - a.modifiedMs);
    const line = tails[0]?.lines.at(-1)?.replaceAll("\t", " ").trim();
    return line === undefined ? undefined : this.#options.mask(line);
  }

  /** Writes pending lines where the footer stood and the new footer below, in one go. */
  #draw(lines: readonly FooterLine[]): void {
    this.#isChanged = false;
    this.#drawnAt = this.#now();
    if (this.#pending.length === 0 && lines.length === 0 && this.#drawn.length === 0) return;
    const bar = this.#progress(lines.length > 0);
    const kept = this.#pending.map((line) => `${line}${CLEAR_TO_END_OF_LINE}\n`).join("");
    const below = lines.map(({ text }) => `${text}${CLEAR_TO_END_OF_LINE}`).join("\n");
    this.#output.write(`${this.#toTop()}${kept}${below}${CLEAR_BELOW}${bar}`);
    this.#pending = [];
    this.#drawn = lines;
  }

  #progress(isShown: boolean): string {
    const { progress } = this.#options;
    if (progress === undefined) return "";
    const { settled, total } = this.#view;
    return isShown
      ? progress.show(settled, total, this.#view.count("failed") > 0)
      : progress.clear();
  }

  /** Moves to the first row of the drawn footer, whose lines may have been wrapped by a resize. */
  #toTop(): string {
    const width = Math.max(1, this.#output.columns ?? 80);
    const rows = this.#drawn.reduce(
      (sum, { columns }) => sum + Math.max(1, Math.ceil(columns / width)),
      0,
    );
    return rows > 1 ? `\r\u001b[${rows - 1}A` : "\r";
  }
}
