// Tells why tasks that are ready do not run: what they are short of and who holds it. Looks now and
// then; waiting for one's turn is the ordinary case and not told.

import type { Explanation } from "../machine/explain.ts";
import type { Machine } from "../machine/machine.ts";
import { formatBytes } from "../model/units.ts";
import type { Services } from "./services.ts";

const LOOK_MS = 1000;

/** Tasks told of at once; the others wait behind them. */
const MOST_TOLD = 20;

const MOST_NAMED = 3;

export class WaitingNews {
  readonly #services: Services;
  readonly #machine: Machine;
  readonly #told = new Map<number, string>();
  #cancel: (() => void) | undefined;

  constructor(services: Services, machine: Machine) {
    this.#services = services;
    this.#machine = machine;
  }

  begin(): void {
    this.#cancel = this.#services.clock.after(LOOK_MS, () => {
      this.#look();
      this.begin();
    });
  }

  close(): void {
    this.#cancel?.();
  }

  #look(): void {
    const { tasks, recorder } = this.#services;
    for (const index of this.#machine.ready(MOST_TOLD)) {
      const why = this.#words(this.#machine.explain(index));
      const task = tasks[index];
      if (why === undefined || task === undefined || this.#told.get(index) === why) continue;
      this.#told.set(index, why);
      recorder.emit({ type: "task/waiting", task: task.id, template: task.template, why });
    }
  }

  #words(explanation: Explanation): string | undefined {
    switch (explanation.why) {
      case "resources": {
        const short = explanation.short.filter(({ resource }) => resource !== "slots");
        return short.length === 0
          ? undefined
          : short.map((each) => this.#shortage(each)).join("; ");
      }
      case "reserved":
        return `what it needs is kept for ${this.#names([explanation.for])}, which waits longer`;
      case "alone":
        return `cannot run beside ${this.#names(explanation.running)}`;
      default:
        return undefined;
    }
  }

  #shortage({ resource, needed, free, capacity, holders, foreign }: Short): string {
    const amount = (value: number): string =>
      resource === "cpus"
        ? String(Math.max(0, value) / 1000)
        : resource === "memory"
          ? formatBytes(Math.max(0, value))
          : String(Math.max(0, value));
    const name = typeof resource === "string" ? resource : `pool ${resource.pool}`;
    const held = [
      ...(holders.length > 0 ? [`held by ${this.#names(holders)}`] : []),
      ...(foreign > 0 ? ["in use by other runs"] : []),
    ];
    const whole = `${amount(needed)} of ${amount(capacity)} needed, ${amount(free)} free`;
    return [`${name}: ${whole}`, ...held].join(", ");
  }

  /** `a, b, c and 4 more` */
  #names(indices: readonly number[]): string {
    const names = indices
      .slice(0, MOST_NAMED)
      .map((index) => this.#services.tasks[index]?.id ?? "?");
    const more = indices.length - names.length;
    return more > 0 ? `${names.join(", ")} and ${more} more` : names.join(", ");
  }
}

type Short = Extract<Explanation, { why: "resources" }>["short"][number];
