// What flow has written down in a simulation: it survives flow's death.

/** Flow dies here. */
export class Crash extends Error {}

export interface Claim {
  readonly serial: number;
  readonly requeues: number;
  readonly idle: number;
}

export class SimulatedDisk {
  /** Tasks with a recorded success. */
  readonly done: Set<number> = new Set();
  /** Attempts without a result on record, by task. */
  readonly claims: Map<number, Claim> = new Map();
  readonly serials: Map<number, number> = new Map();
  /** Tasks that another run is at, with the serial of its attempt. */
  readonly elsewhere: Map<number, number> = new Map();
  readonly #crashes: ReadonlySet<number>;
  #records = 0;

  constructor(crashes: readonly number[] = []) {
    this.#crashes = new Set(crashes);
  }

  nextSerial(task: number): number {
    return (this.serials.get(task) ?? 0) + 1;
  }

  /** Writes a record of the journal; flow may die just before or just after it. */
  record(write: () => void): void {
    this.#records += 1;
    const dies = this.#crashes.has(this.#records);
    if (dies && this.#records % 2 === 0) throw new Crash();
    write();
    if (dies) throw new Crash();
  }
}
