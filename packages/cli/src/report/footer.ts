// The lines at the bottom of the screen that change: progress and time left, counts per template, the
// tasks that run with their last words. Pure: a view in, lines out, none wider than the screen.

import { formatDuration } from "@flow/core";
import type { Paint } from "./color.ts";
import { timeLeft } from "./eta.ts";
import { metricsText } from "./event-lines.ts";
import { shortName } from "./names.ts";
import type { ActiveTask, RunView, TaskStatus, TemplateView } from "./run-view.ts";
import { sanitizeLine } from "./sanitize.ts";
import { SYMBOLS } from "./symbols.ts";
import { cut, displayWidth, pad } from "./width.ts";

/** A line and the columns it takes; the text may hold colours, so its length says nothing. */
export interface FooterLine {
  readonly text: string;
  readonly columns: number;
}

export interface FooterFacts {
  readonly view: RunView;
  /** Milliseconds into the run. */
  readonly nowMs: number;
  readonly columns: number;
  readonly rows: number;
  readonly paint: Paint;
  /** The last line a running task has written, printable; undefined when there is none. */
  readonly lastLine: (task: ActiveTask) => string | undefined;
}

const MOST_TASKS = 8;
const NARROW = 60;
const SMALLEST_BAR = 10;

/** At most a third of the screen's height, at least one line. */
export function footer(facts: FooterFacts): readonly FooterLine[] {
  const limit = Math.max(1, Math.floor(facts.rows / 3));
  const columns = facts.columns - 1;
  if (columns < NARROW || limit < 3) return [narrowLine({ ...facts, columns })];
  const lines = [progressLine({ ...facts, columns }), templatesLine({ ...facts, columns })];
  const room = Math.min(MOST_TASKS, limit - 2);
  const tasks = taskLines({ ...facts, columns }, room);
  const waiting = tasks.length < room ? waitLine({ ...facts, columns }) : undefined;
  return [...lines, ...tasks, ...(waiting === undefined ? [] : [waiting])];
}

/** A line put together from pieces with a style each, cut where the room ends. */
class Line {
  readonly #room: number;
  readonly #paint: Paint;
  #text = "";
  #columns = 0;

  constructor(room: number, paint: Paint) {
    this.#room = room;
    this.#paint = paint;
  }

  get left(): number {
    return this.#room - this.#columns;
  }

  add(text: string, style?: Parameters<Paint>[0]): this {
    const fitting = cut(text, this.left);
    this.#columns += displayWidth(fitting);
    this.#text += style === undefined ? fitting : this.#paint(style, fitting);
    return this;
  }

  done(): FooterLine {
    return { text: this.#text, columns: this.#columns };
  }
}

function narrowLine({ view, nowMs, columns, paint }: FooterFacts): FooterLine {
  const line = new Line(columns, paint);
  line.add(` ${view.settled}/${view.total}`);
  for (const status of ["running", "failed", "unknown"] as const) {
    const count = view.count(status);
    if (count > 0) line.add(` ${SYMBOLS[status].sign}${count}`, SYMBOLS[status].style);
  }
  const left = timeLeft(view, nowMs);
  line.add(` ${age(nowMs)}`);
  if (left !== undefined) line.add(` ~${seconds((left[0] + left[1]) / 2)} left`);
  return line.done();
}

function progressLine({ view, nowMs, columns, paint }: FooterFacts): FooterLine {
  const line = new Line(columns, paint);
  const share = view.total === 0 ? 0 : Math.min(1, view.settled / view.total);
  line.add(`${String(Math.floor(share * 100)).padStart(4)}% `);
  const facts = `  ${view.settled}/${view.total}   ${age(nowMs)}   ${outlook(view, nowMs)}`;
  const width = Math.max(SMALLEST_BAR, Math.min(40, line.left - displayWidth(facts)));
  const filled = Math.round(share * width);
  line.add("━".repeat(filled), "good").add("─".repeat(width - filled), "dim");
  return line.add(facts.trimEnd()).done();
}

/** How long it will take, or how long until running tasks are killed. */
function outlook(view: RunView, nowMs: number): string {
  const { stopping } = view;
  if (stopping !== undefined) {
    const left = stopping.graceMs - (nowMs - stopping.atMs);
    const what = `${view.count("running")} stopping`;
    return stopping.how === "forced" || left <= 0 ? what : `${what}, killed in ${seconds(left)}`;
  }
  const left = timeLeft(view, nowMs);
  if (left === undefined) return "";
  const [low, high] = left.map(seconds);
  if (low === high) return `about ${low} left`;
  return left[0] <= 0 ? `up to ${high} left` : `${low} to ${high} left`;
}

/** Durations whose tenths would only flicker. */
const seconds = (ms: number): string => formatDuration(Math.ceil(ms / 1000) * 1000);
const age = (ms: number): string =>
  ms < 1000 ? "0s" : formatDuration(Math.floor(ms / 1000) * 1000);

function templatesLine({ view, columns, paint }: FooterFacts): FooterLine {
  const all = view.templates;
  const width = (templates: readonly TemplateView[]): number =>
    templates.reduce((sum, each) => sum + templateText(each).columns, 0);
  const open = all.filter((template) => !isOver(template));
  const shown = width(all) <= columns ? all : open;
  const line = new Line(columns, paint);
  let hidden = all.length - shown.length;
  for (const [index, template] of shown.entries()) {
    const { columns: needed, pieces } = templateText(template);
    if (needed > line.left - (hidden > 0 || index < shown.length - 1 ? MORE_WIDTH : 0)) {
      hidden += shown.length - index;
      break;
    }
    for (const { text, style } of pieces) line.add(text, style);
  }
  if (hidden > 0) line.add(`  +${hidden} more`, "dim");
  return line.done();
}

const MORE_WIDTH = 10;

interface Piece {
  readonly text: string;
  readonly style: Parameters<Paint>[0] | undefined;
}

/** ` train ✔11 ▶9 ✖1 ·3 ` */
function templateText(template: TemplateView): {
  readonly columns: number;
  readonly pieces: readonly Piece[];
} {
  const pieces: Piece[] = [{ text: ` ${template.name}`, style: undefined }];
  let seen = 0;
  for (const [status, { sign, style }] of Object.entries(SYMBOLS)) {
    const count = status === "waiting" ? 0 : (template.counts.get(status as TaskStatus) ?? 0);
    seen += count;
    if (count > 0) pieces.push({ text: ` ${sign}${count}`, style });
  }
  const waiting = template.size - seen;
  if (waiting > 0) {
    pieces.push({ text: ` ${SYMBOLS.waiting.sign}${waiting}`, style: SYMBOLS.waiting.style });
  }
  pieces.push({ text: "  ", style: undefined });
  return { columns: pieces.reduce((sum, { text }) => sum + displayWidth(text), 0), pieces };
}

function isOver({ size, counts }: TemplateView): boolean {
  const good = (["done", "fresh", "skipped", "pruned"] as const).reduce(
    (sum, status) => sum + (counts.get(status) ?? 0),
    0,
  );
  return good === size;
}

const RANK: Readonly<Record<ActiveTask["status"], number>> = {
  unknown: 0,
  again: 1,
  running: 2,
  queued: 3,
  held: 4,
};

/** Trouble first, then what runs longest, so that lines keep their places. */
function taskLines(facts: FooterFacts, room: number): readonly FooterLine[] {
  const active = [...facts.view.active].sort(
    (a, b) => RANK[a.status] - RANK[b.status] || a.sinceMs - b.sinceMs,
  );
  const fits = active.length <= room;
  const shown = active.slice(0, fits ? room : room - 1);
  const widest = Math.max(0, ...shown.map(({ task }) => displayWidth(task)));
  const nameWidth = Math.min(widest, Math.floor(facts.columns * 0.4));
  const lines = shown.map((task) => taskLine(task, nameWidth, facts));
  if (fits) return lines;
  const more = new Line(facts.columns, facts.paint);
  return [...lines, more.add(`   … ${active.length - shown.length} more`, "dim").done()];
}

function taskLine(task: ActiveTask, nameWidth: number, facts: FooterFacts): FooterLine {
  const { sign, style } = SYMBOLS[task.status];
  const line = new Line(facts.columns, facts.paint);
  line.add(` ${sign} `, style).add(pad(shortName(task.task, nameWidth), nameWidth));
  line.add(`  ${age(facts.nowMs - task.sinceMs).padStart(6)}  `, "dim");
  if (task.node !== undefined) line.add(`${task.node}  `, "dim");
  return line.add(lastWords(task, facts)).done();
}

/** The first task that is ready and has no room, with what it is short of. */
function waitLine({ view, columns, paint }: FooterFacts): FooterLine | undefined {
  const [first] = view.waits;
  if (first === undefined) return undefined;
  const [task, why] = first;
  const { sign, style } = SYMBOLS.waiting;
  const line = new Line(columns, paint).add(` ${sign} `, style);
  return line.add(`${sanitizeLine(task)} waits for ${sanitizeLine(why)}`, "dim").done();
}

function lastWords(task: ActiveTask, { lastLine }: FooterFacts): string {
  if (task.note !== undefined) return task.note;
  const { progress } = task;
  const metrics = metricsText(task.metrics);
  if (progress === undefined && metrics === "") return lastLine(task) ?? "";
  const total = progress?.total === undefined ? "" : `/${progress.total}`;
  const count = progress?.done === undefined ? "" : `${progress.done}${total}`;
  return [count, progress?.unit, progress?.message, metrics]
    .filter((part) => part !== undefined && part !== "")
    .join(" ");
}
