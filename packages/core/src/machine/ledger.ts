// Who holds how much of what. Tasks with the same demands share a shape, so that whether they fit is
// asked once for all of them.

import type { Limits, ResourceRequest } from "../model/resources.ts";
import { formatBytes } from "../model/units.ts";
import type { MachinePlan, MachineTask } from "./plan.ts";

/** One amount of a named resource: `slots`, `cpus`, `memory`, or a pool. */
export interface Shortage {
  readonly resource: "slots" | "cpus" | "memory" | { readonly pool: string };
  /** Cpus in thousandths, memory in bytes. */
  readonly needed: number;
  /** May be negative: adopted attempts hold what they hold. */
  readonly free: number;
  readonly capacity: number;
  /** What other live runs of the project hold. */
  readonly foreign: number;
}

/** A set of demands shared by tasks. */
export interface Shape {
  readonly local: boolean;
  /** Thousandths; undefined when the task does not say. */
  readonly cpusMilli: number | undefined;
  readonly memoryBytes: number;
  readonly pools: readonly { readonly pool: number; readonly amount: number }[];
  readonly exclusive: boolean;
}

interface Hold {
  readonly shape: Shape;
  readonly cpus: number;
}

/** What a task counts as where cpus decide how many run at once and it does not say. */
const UNDECLARED_CPUS_MILLI = 1_000;

const UNLIMITED: Limits = {
  slots: undefined,
  cpusMilli: undefined,
  memoryBytes: undefined,
  pools: {},
};

export class Ledger {
  readonly #poolNames: string[] = [];
  readonly #poolIndex = new Map<string, number>();
  readonly #shapes = new Map<string, Shape>();
  readonly #holds = new Map<number, Hold>();
  readonly #poolUsed: number[] = [];
  readonly #poolForeign: number[] = [];
  readonly #poolCapacity: number[] = [];
  #limits: Limits = UNLIMITED;
  #usedSlots = 0;
  #exclusive = 0;
  #usedCpus = 0;
  #usedMemory = 0;
  #foreignCpus = 0;
  #foreignMemory = 0;

  /** The shape of a task on a backend that is, or is not, this machine. */
  shapeOf(task: MachineTask, request: ResourceRequest, local: boolean): Shape {
    const cpusMilli = local ? request.cpusMilli : 0;
    const memoryBytes = local ? (request.memoryBytes ?? 0) : 0;
    const pools = Object.keys(task.pools)
      .sort()
      .map((name) => ({ pool: this.#pool(name), amount: task.pools[name] as number }));
    const wanted = pools.map(({ pool, amount }) => `${pool}=${amount}`).join();
    const key = `${local} ${cpusMilli} ${memoryBytes} ${task.exclusive} ${wanted}`;
    const known = this.#shapes.get(key);
    if (known !== undefined) return known;
    const shape = { local, cpusMilli, memoryBytes, pools, exclusive: task.exclusive };
    this.#shapes.set(key, shape);
    return shape;
  }

  setLimits(limits: Limits): void {
    this.#limits = limits;
    for (const [index, name] of this.#poolNames.entries()) {
      this.#poolCapacity[index] = limits.pools[name] ?? Number.POSITIVE_INFINITY;
    }
    this.#usedCpus = 0;
    for (const [task, { shape }] of this.#holds) {
      const cpus = this.#cpus(shape);
      this.#holds.set(task, { shape, cpus });
      this.#usedCpus += cpus;
    }
  }

  setForeign(cpusMilli: number, memory: number, pools: Readonly<Record<string, number>>): void {
    this.#foreignCpus = cpusMilli;
    this.#foreignMemory = memory;
    for (const [index, name] of this.#poolNames.entries()) {
      this.#poolForeign[index] = pools[name] ?? 0;
    }
  }

  /** All there is of this machine's memory, in bytes. */
  get memoryCapacity(): number {
    return this.#limits.memoryBytes ?? Number.POSITIVE_INFINITY;
  }

  /** True when no task of this machine can start, whatever its shape. */
  get isOutOfSlots(): boolean {
    return this.#freeSlots() < 1;
  }

  /** True while a task runs that is to run alone. */
  get isTaken(): boolean {
    return this.#exclusive > 0;
  }

  take(task: number, shape: Shape): void {
    const cpus = this.#cpus(shape);
    this.#holds.set(task, { shape, cpus });
    this.#add(shape, cpus, 1);
  }

  give(task: number): void {
    const hold = this.#holds.get(task) as Hold;
    this.#holds.delete(task);
    this.#add(hold.shape, hold.cpus, -1);
  }

  /** Of everything but slots, for which {@link isOutOfSlots} answers. */
  fits(shape: Shape): boolean {
    if (shape.local) {
      const cpus = this.#cpus(shape);
      if (cpus > 0 && cpus > this.#freeCpus()) return false;
      if (shape.memoryBytes > 0 && shape.memoryBytes > this.#freeMemory()) return false;
    }
    return shape.pools.every(({ pool, amount }) => amount <= this.#freePool(pool));
  }

  /** True when `other` would take some of what `shape` is still short of, or make it short. */
  delays(other: Shape, shape: Shape): boolean {
    const takes = (taken: number, free: number, needed: number): boolean =>
      taken > 0 && needed > 0 && free - taken < needed;
    if (other.local && shape.local) {
      if (takes(this.#cpus(other), this.#freeCpus(), this.#cpus(shape))) return true;
      if (takes(other.memoryBytes, this.#freeMemory(), shape.memoryBytes)) return true;
    }
    return other.pools.some(({ pool, amount }) => {
      const needed = shape.pools.find((each) => each.pool === pool)?.amount ?? 0;
      return takes(amount, this.#freePool(pool), needed);
    });
  }

  /** A sentence when the demands exceed all there is, so that waiting would be for ever. */
  tooLarge(shape: Shape): string | undefined {
    if (shape.local && shape.memoryBytes > this.memoryCapacity) {
      const [asked, given] = [shape.memoryBytes, this.memoryCapacity].map(formatBytes);
      return `asks for ${asked} of memory, but there is only ${given}; lower \`resources.mem\``;
    }
    const pool = shape.pools.find((each) => each.amount > this.#capacityOfPool(each.pool));
    if (pool === undefined) return undefined;
    const name = this.#poolNames[pool.pool];
    return `asks for ${pool.amount} of the pool \`${name}\`, but it holds ${this.#capacityOfPool(pool.pool)}; lower \`pools.${name}\` of the task or raise the pool`;
  }

  /** What keeps this shape from starting now; empty when it fits. */
  shortages(shape: Shape): readonly Shortage[] {
    const all: Shortage[] = [];
    if (shape.local) {
      all.push({
        resource: "slots",
        needed: 1,
        free: this.#freeSlots(),
        capacity: this.#limits.slots ?? Number.POSITIVE_INFINITY,
        foreign: 0,
      });
      all.push({
        resource: "cpus",
        needed: this.#cpus(shape),
        free: this.#freeCpus(),
        capacity: this.#limits.cpusMilli ?? Number.POSITIVE_INFINITY,
        foreign: this.#foreignCpus,
      });
      all.push({
        resource: "memory",
        needed: shape.memoryBytes,
        free: this.#freeMemory(),
        capacity: this.memoryCapacity,
        foreign: this.#foreignMemory,
      });
    }
    for (const { pool, amount } of shape.pools) {
      all.push({
        resource: { pool: this.#poolNames[pool] as string },
        needed: amount,
        free: this.#freePool(pool),
        capacity: this.#capacityOfPool(pool),
        foreign: this.#poolForeign[pool] as number,
      });
    }
    return all.filter(({ needed, free }) => needed > 0 && needed > free);
  }

  /** Tasks of this run that hold some of a resource, in plan order. */
  holders(resource: Shortage["resource"]): readonly number[] {
    const holds = ({ shape, cpus }: Hold): boolean => {
      if (resource === "slots") return shape.local;
      if (resource === "cpus") return cpus > 0;
      if (resource === "memory") return shape.memoryBytes > 0;
      const index = this.#poolIndex.get(resource.pool);
      return shape.pools.some(({ pool, amount }) => pool === index && amount > 0);
    };
    return [...this.#holds]
      .filter(([, hold]) => holds(hold))
      .map(([task]) => task)
      .sort((a, b) => a - b);
  }

  #pool(name: string): number {
    const known = this.#poolIndex.get(name);
    if (known !== undefined) return known;
    const index = this.#poolNames.push(name) - 1;
    this.#poolIndex.set(name, index);
    this.#poolUsed.push(0);
    this.#poolForeign.push(0);
    this.#poolCapacity.push(Number.POSITIVE_INFINITY);
    return index;
  }

  #add(shape: Shape, cpus: number, sign: 1 | -1): void {
    if (shape.local) this.#usedSlots += sign;
    if (shape.exclusive) this.#exclusive += sign;
    this.#usedCpus += sign * cpus;
    this.#usedMemory += sign * shape.memoryBytes;
    for (const { pool, amount } of shape.pools) {
      this.#poolUsed[pool] = (this.#poolUsed[pool] as number) + sign * amount;
    }
  }

  /** A request for more cpus than there are takes all of them. */
  #cpus(shape: Shape): number {
    if (!shape.local) return 0;
    const undeclared = this.#limits.slots === undefined ? UNDECLARED_CPUS_MILLI : 0;
    const wanted = shape.cpusMilli ?? undeclared;
    return Math.min(wanted, this.#limits.cpusMilli ?? wanted);
  }

  #freeSlots(): number {
    return (this.#limits.slots ?? Number.POSITIVE_INFINITY) - this.#usedSlots;
  }

  #freeCpus(): number {
    const capacity = this.#limits.cpusMilli ?? Number.POSITIVE_INFINITY;
    return capacity - this.#usedCpus - this.#foreignCpus;
  }

  #freeMemory(): number {
    return this.memoryCapacity - this.#usedMemory - this.#foreignMemory;
  }

  #freePool(pool: number): number {
    const taken = (this.#poolUsed[pool] as number) + (this.#poolForeign[pool] as number);
    return this.#capacityOfPool(pool) - taken;
  }

  #capacityOfPool(pool: number): number {
    return this.#poolCapacity[pool] as number;
  }
}

/** Shapes of all tasks of a plan, in plan order. */
export function shapesOf(plan: MachinePlan, ledger: Ledger): Shape[] {
  return plan.tasks.map((task) =>
    ledger.shapeOf(task, task.resources, plan.backends[task.backend]?.local === true),
  );
}
