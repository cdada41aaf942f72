// `flow logs SEL [-f]`: what a task has written, its stdout to stdout and its stderr to stderr. On a
// terminal everything is sanitised; into a pipe or file the bytes go as they are. Secrets are masked
// in both. With `--json` both come as JSON lines on stdout. Writes nothing.

import {
  ATTEMPT_FILES,
  attemptKey,
  attemptSerials,
  currentClaims,
  layout,
  nodeFileSystem,
  type Task,
} from "@flow/core";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../invocation.ts";
import type { Io, Output } from "../io.ts";
import { liveRuns } from "../record/runs.ts";
import { jsonLog } from "../report/json-log.ts";
import { LogCopy } from "../report/log-copy.ts";
import { maskFor } from "../report/mask.ts";
import { openOne } from "../selection.ts";

const LOOK_MS = 150;

export const command: Command = async (invocation, io) => {
  const opened = await openOne(invocation, io);
  if (!opened.ok) return opened.error;
  const { plan, task, secretValues } = opened.value;
  const lines = number(invocation.value("lines"));
  const wanted = number(invocation.value("attempt"));
  if (Number.isNaN(lines) || Number.isNaN(wanted)) {
    io.stderr.write("flow: --lines and --attempt take whole numbers above 0\n");
    return EXIT.usage;
  }
  const follow = invocation.has("follow");
  const attempts = new TaskAttempts(plan.project.root, task);
  const serial = wanted ?? (await attempts.first(follow));
  if (serial === undefined || !attempts.all().includes(serial)) {
    const which = wanted === undefined ? "has no attempt" : `has no attempt ${wanted}`;
    io.stderr.write(`flow: ${task.id} ${which} on record\n`);
    return EXIT.usage;
  }
  const mask = maskFor(plan.project.secrets, { ...io.env, ...secretValues });
  const streams: readonly (readonly [string, Output])[] = [
    ...(invocation.has("err") ? [] : [[ATTEMPT_FILES.stdout, io.stdout] as const]),
    ...(invocation.has("out") ? [] : [[ATTEMPT_FILES.stderr, io.stderr] as const]),
  ];
  const asJson = invocation.has("json");
  for (let current: number | undefined = serial; current !== undefined; ) {
    const directory = attempts.directory(current);
    const attempt = current;
    const copies = streams.map(([name, plain]) => {
      const source = { task: task.id, attempt, stream: name };
      const output = asJson ? jsonLog(source, io.stdout) : plain;
      return new LogCopy(`${directory}/${name}`, output, mask);
    });
    for (const copy of copies) await copy.begin(lines);
    if (follow) await followUntil(() => attempts.isOver(attempt), copies, io);
    for (const copy of copies) copy.end();
    if (!asJson && !follow && copies.length === 2 && copies.every(({ isEmpty }) => isEmpty))
      io.stderr.write(`flow: ${task.id} has written nothing\n`);
    current = follow && wanted === undefined ? await attempts.next(current) : undefined;
    if (current !== undefined && !asJson) io.stderr.write(`--- attempt ${current}\n`);
  }
  return EXIT.ok;
};

/** Copies what is new until the attempt is over or nobody reads any more. */
async function followUntil(
  isOver: () => boolean,
  copies: readonly LogCopy[],
  io: Io,
): Promise<void> {
  for (;;) {
    // Asked before the copy: what is written before the end must not be missed.
    const over = isOver();
    for (const copy of copies) await copy.more();
    if (over || (io.stdout.isClosed && io.stderr.isClosed)) return;
    await pause();
  }
}

/** The attempts of one task, as they come and end. */
class TaskAttempts {
  readonly #root: string;
  readonly #task: Task;

  constructor(root: string, task: Task) {
    this.#root = root;
    this.#task = task;
  }

  /** Without those of which `clean` has left the number alone. */
  all(): readonly number[] {
    const serials = attemptSerials(layout(this.#root), this.#task.key, nodeFileSystem);
    return serials.filter(
      (serial) => (nodeFileSystem.list(this.directory(serial)) ?? []).length > 0,
    );
  }

  directory(serial: number): string {
    return layout(this.#root).attempt(attemptKey(this.#task.key, serial));
  }

  /** The latest; with `wait` the first to come, as long as a run may start one. */
  async first(wait: boolean): Promise<number | undefined> {
    for (;;) {
      const latest = this.all().at(-1);
      if (latest !== undefined || !wait || liveRuns(this.#root).length === 0) return latest;
      await pause();
    }
  }

  /** Its result is on record, or nobody is at the task any more. */
  isOver(serial: number): boolean {
    const result = `${this.directory(serial)}/${ATTEMPT_FILES.result}`;
    return nodeFileSystem.stat(result) !== undefined || !this.#isClaimed();
  }

  /** The next attempt, waited for as long as a run means to make one. */
  async next(serial: number): Promise<number | undefined> {
    for (;;) {
      const later = this.all().find((one) => one > serial);
      if (later !== undefined) return later;
      const runs = liveRuns(this.#root);
      const means = runs.some(({ view }) => view.status(this.#task.id) === "again");
      if (!means && !this.#isClaimed()) return undefined;
      await pause();
    }
  }

  #isClaimed(): boolean {
    return currentClaims(this.#root).holder(this.#task.key) !== undefined;
  }
}

/** NaN when it is no whole number above 0. */
function number(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return /^[1-9]\d*$/.test(text) ? Number(text) : Number.NaN;
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, LOOK_MS));
