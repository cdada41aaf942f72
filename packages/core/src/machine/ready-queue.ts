// Which ready task starts next. Ready tasks wait in one heap per shape (see ledger.ts); shapes whose
// first task does not fit are parked until something is given back, so that an event costs the same
// however many tasks are ready. A task that does not fit may be overtaken by smaller ones, but only
// so often: then what it is short of is kept for it.

import { Heap } from "./heap.ts";
import type { Ledger, Shape } from "./ledger.ts";

/** How often the first task that does not fit may be overtaken by one that takes what it needs. */
const OVERTAKE_LIMIT = 16;

/** Most shapes looked at in vain before giving up until something is given back. */
const PARKED_LIMIT = 64;

interface Lane {
  readonly shape: Shape;
  readonly tasks: Heap;
  /** Rank of the first task, under which the lane is in the heap of its kind; undefined: it is not. */
  entry: number | undefined;
  parked: boolean;
}

export class ReadyQueue {
  readonly #ledger: Ledger;
  /** Position of each task in the order of starting: smaller is earlier. */
  readonly #rank: Int32Array;
  readonly #shapes: readonly Shape[];
  readonly #isReady: (task: number) => boolean;
  readonly #lanes = new Map<Shape, Lane>();
  readonly #local = new Heap();
  readonly #remote = new Heap();
  #parked: Lane[] = [];
  #front: number | undefined;
  #overtaken = 0;

  constructor(
    ledger: Ledger,
    rank: Int32Array,
    shapes: readonly Shape[],
    isReady: (task: number) => boolean,
  ) {
    this.#ledger = ledger;
    this.#rank = rank;
    this.#shapes = shapes;
    this.#isReady = isReady;
  }

  /** The task for which resources are being kept; undefined when there is none. */
  get reservedFor(): number | undefined {
    const front = this.#front;
    const keeps = front !== undefined && this.#isReady(front) && this.#isReserved(front);
    return keeps ? front : undefined;
  }

  add(task: number): void {
    const shape = this.#shapes[task] as Shape;
    let lane = this.#lanes.get(shape);
    if (lane === undefined) {
      lane = { shape, tasks: new Heap(), entry: undefined, parked: false };
      this.#lanes.set(shape, lane);
    }
    const rank = this.#rank[task] as number;
    lane.tasks.push(rank, task);
    if (!lane.parked && (lane.entry === undefined || rank < lane.entry)) {
      this.#enter(lane, rank, task);
    }
  }

  /** Something was given back, or limits changed: what did not fit may fit now. */
  released(): void {
    const parked = this.#parked;
    this.#parked = [];
    for (const lane of parked) {
      lane.parked = false;
      this.#enterFirst(lane);
    }
  }

  /**
   * Takes out the task to start next, or one that is too large to start ever; undefined when nothing
   * fits. `live` is how many attempts hold something.
   */
  next(live: number): number | undefined {
    if (this.#front !== undefined && !this.#isReady(this.#front)) {
      this.#front = undefined;
      this.released();
    }
    for (let lane = this.#best(); lane !== undefined; lane = this.#best()) {
      const task = this.#first(lane);
      if (task === undefined || this.#rank[task] !== lane.entry) {
        this.#enterFirst(lane);
      } else if (this.#mayStart(task, lane.shape, live)) {
        lane.tasks.pop();
        this.#enterFirst(lane);
        return task;
      } else {
        lane.entry = undefined;
        lane.parked = true;
        this.#parked.push(lane);
        if (this.#parked.length >= PARKED_LIMIT && live > 0) return undefined;
      }
    }
    return undefined;
  }

  #mayStart(task: number, shape: Shape, live: number): boolean {
    if (this.#ledger.tooLarge(shape) !== undefined) return true;
    if ((shape.exclusive && live > 0) || !this.#ledger.fits(shape)) {
      this.#moveFront(task);
      return false;
    }
    const front = this.#front;
    if (front === undefined || !this.#isBefore(front, task)) return true;
    const frontShape = this.#shapes[front] as Shape;
    if (!frontShape.exclusive && !this.#ledger.delays(shape, frontShape)) return true;
    if (this.#isReserved(front)) return false;
    this.#overtaken += 1;
    return true;
  }

  /** A person sits before an exclusive task: nothing overtakes it. */
  #isReserved(front: number): boolean {
    return (this.#shapes[front] as Shape).exclusive || this.#overtaken >= OVERTAKE_LIMIT;
  }

  /** What was kept back for the old front may overtake the new one. */
  #moveFront(task: number): void {
    const before = this.#front;
    if (before !== undefined && !this.#isBefore(task, before)) return;
    if (before !== undefined && this.#isReserved(before)) this.released();
    this.#front = task;
    this.#overtaken = 0;
  }

  #isBefore(task: number, other: number): boolean {
    return (this.#rank[task] as number) < (this.#rank[other] as number);
  }

  /** The lane whose first task is the first of all that may be worth a look; it stays where it is. */
  #best(): Lane | undefined {
    const remote = this.#topOf(this.#remote);
    const local = this.#ledger.isOutOfSlots ? undefined : this.#topOf(this.#local);
    if (remote === undefined || local === undefined) return remote ?? local;
    return (remote.entry as number) < (local.entry as number) ? remote : local;
  }

  /** Drops entries that a better one of the same lane has replaced. */
  #topOf(heap: Heap): Lane | undefined {
    for (;;) {
      const task = heap.top;
      if (task === undefined) return undefined;
      const lane = this.#lanes.get(this.#shapes[task] as Shape);
      if (lane !== undefined && lane.entry === heap.topKey) return lane;
      heap.pop();
    }
  }

  #enter(lane: Lane, rank: number, task: number): void {
    lane.entry = rank;
    (lane.shape.local ? this.#local : this.#remote).push(rank, task);
  }

  #enterFirst(lane: Lane): void {
    lane.entry = undefined;
    const first = this.#first(lane);
    if (first !== undefined) this.#enter(lane, this.#rank[first] as number, first);
  }

  /** The first task of a lane that is still ready. */
  #first(lane: Lane): number | undefined {
    for (let task = lane.tasks.top; task !== undefined; task = lane.tasks.top) {
      if (this.#isReady(task)) return task;
      lane.tasks.pop();
    }
    return undefined;
  }
}
