// Keeps track of the code that attempts run from. Looking at the code costs about what `git status`
// does, so looks are shared: one at the first start, later ones at most once a second and never
// more than a twentieth of the time. Trouble with it is told once and changes nothing else.

import type { AttemptKey } from "../model/ids.ts";
import type { Clock } from "../ports/clock.ts";
import type { AttemptRecord, CodeState, EndedCode } from "../record/attempt-record.ts";
import type { CodeTree } from "../snapshot/capture.ts";
import type { TreeId } from "../snapshot/manifest.ts";

/** Takes down the code as it is now; with `keep` contents are stored. */
export type CaptureCode = (keep: boolean) => Promise<CodeTree>;

export interface CodeListener {
  /** The code the run began with. */
  first(code: CodeState): void;
  warn(message: string): void;
}

/** A look answers for this long, and for this many times what it cost. Milliseconds. */
const LEAST_PAUSE_MS = 1000;
const PAUSE_PER_COST = 20;

/** Names of changed files in one record. */
const MOST_NAMES = 20;

interface Look {
  readonly index: number;
  readonly code: CodeState;
}

interface Start {
  /** On the run's clock. */
  readonly at: number;
  readonly pending: Promise<Look | undefined>;
  /** What came of `pending`; undefined until then. */
  look: Look | undefined;
}

export class CodeKeeper {
  readonly #capture: CaptureCode;
  readonly #clock: Pick<Clock, "now">;
  readonly #listener: CodeListener;
  readonly #starts = new Map<AttemptKey, Start>();
  /** Path → index of the look that found it changed. */
  readonly #changes = new Map<string, number>();
  /** Index of the latest look that found a change without being able to say where. */
  #vague = 0;
  #looks = 0;
  #latest: Look | undefined;
  #kept: TreeId | undefined;
  #begun = Number.NEGATIVE_INFINITY;
  #pauseMs = LEAST_PAUSE_MS;
  #running: Promise<Look | undefined> | undefined;
  #next: Promise<Look | undefined> | undefined;
  #broken = false;

  constructor(capture: CaptureCode, clock: Pick<Clock, "now">, listener: CodeListener) {
    this.#capture = capture;
    this.#clock = clock;
    this.#listener = listener;
  }

  /** To be called right before an attempt starts: the code as last seen, undefined while it was not. */
  started(key: AttemptKey): CodeState | undefined {
    const pending = this.#look();
    const start: Start = { at: this.#clock.now(), pending, look: undefined };
    this.#starts.set(key, start);
    void pending.then((look) => {
      start.look = look;
    });
    return this.#latest?.code;
  }

  /** What is to be added to the record of an attempt that has ended; undefined: nothing. Never rejects. */
  async ended({ key, code: recorded }: AttemptRecord): Promise<EndedCode | undefined> {
    const start = this.#starts.get(key);
    this.#starts.delete(key);
    if (start === undefined) return this.#endedElsewhere(recorded);
    // A short attempt waits for no look: that would cost it more than it took.
    const isShort = this.#clock.now() - start.at < this.#pauseMs;
    const after = isShort ? undefined : this.#look();
    const before = isShort ? start.look : await start.pending;
    await after;
    if (before === undefined) return undefined;
    const changed = this.#changedSince(before.index);
    const changedWhileRunning = changed.length > 0 || this.#vague > before.index;
    if (!changedWhileRunning && recorded?.tree === before.code.tree) return undefined;
    return { ...before.code, changedWhileRunning, changed: changed.slice(0, MOST_NAMES) };
  }

  /** Resolves when no look is under way. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Of an attempt that an earlier run started. */
  async #endedElsewhere(recorded: CodeState | undefined): Promise<EndedCode | undefined> {
    if (recorded === undefined) return undefined;
    const now = await this.#look();
    if (now === undefined || now.code.tree === recorded.tree) return undefined;
    return { ...recorded, changedWhileRunning: true, changed: [] };
  }

  #changedSince(index: number): readonly string[] {
    return [...this.#changes].flatMap(([path, at]) => (at > index ? [path] : [])).sort();
  }

  /** A look that is recent enough, or a new one. */
  #look(): Promise<Look | undefined> {
    const isRecent = this.#clock.now() - this.#begun < this.#pauseMs;
    if (this.#broken) return Promise.resolve(undefined);
    if (this.#running === undefined) {
      return isRecent ? Promise.resolve(this.#latest) : this.#begin();
    }
    if (isRecent) return this.#running;
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#begin();
    });
    return this.#next;
  }

  #begin(): Promise<Look | undefined> {
    this.#begun = this.#clock.now();
    const running = this.#lookNow().finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    return running;
  }

  async #lookNow(): Promise<Look | undefined> {
    const isFirst = this.#latest === undefined;
    try {
      const { tree, git, diff, changed } = await this.#capture(isFirst);
      this.#looks += 1;
      if (changed === undefined) this.#vague = this.#looks;
      else for (const path of changed) this.#changes.set(path, this.#looks);
      if (isFirst) this.#kept = tree;
      const last = this.#latest?.code;
      const isSame = last?.tree === tree && last.git?.commit === git?.commit;
      const code = isSame ? last : { tree, kept: tree === this.#kept, git, diff };
      this.#latest = { index: this.#looks, code };
      if (isFirst) this.#listener.first(code);
      const cost = this.#clock.now() - this.#begun;
      this.#pauseMs = Math.max(LEAST_PAUSE_MS, cost * PAUSE_PER_COST);
      return this.#latest;
    } catch (error) {
      this.#broken = true;
      this.#listener.warn(`the code is not recorded: ${(error as Error).message}`);
      return undefined;
    }
  }
}
