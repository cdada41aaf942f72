// Which trials of a sweep are ended early, from the values they report. Pure: told of every value in
// the order in which it comes, it answers whether that trial is to go on.

import type { Pruning } from "../model/task.ts";

/** What one trial has reported, in the order of its steps. */
interface Curve {
  readonly points: (readonly [step: number, value: number])[];
  /** Rungs it has been judged at. */
  readonly judged: Set<number>;
}

/** The trials of one template. */
export class Trials {
  readonly #pruning: Pruning;
  readonly #curves = new Map<string, Curve>();

  constructor(pruning: Pruning) {
    this.#pruning = pruning;
  }

  /** Whether anything is known of the trial. */
  knows(trial: string): boolean {
    return this.#curves.has(trial);
  }

  /** Takes a value, of any metric; true when the trial is to be ended. Without a step they are counted. */
  saw(trial: string, step: number | undefined, values: Readonly<Record<string, number>>): boolean {
    const value = values[this.#pruning.metric];
    if (value === undefined) return false;
    let curve = this.#curves.get(trial);
    if (curve === undefined) {
      curve = { points: [], judged: new Set() };
      this.#curves.set(trial, curve);
    }
    const at = step ?? curve.points.length + 1;
    // A trial that was started again tells some steps twice.
    if ((curve.points.at(-1)?.[0] ?? Number.NEGATIVE_INFINITY) >= at) return false;
    // Larger is better from here on.
    curve.points.push([at, this.#pruning.direction === "max" ? value : -value]);
    const { rule } = this.#pruning;
    return rule.kind === "median"
      ? at >= rule.after && this.#isBelowMedian(trial, curve, at, rule.trials)
      : this.#failsRung(trial, curve, at, rule);
  }

  /** Its best so far is below the median of what the others had on average up to this step. */
  #isBelowMedian(trial: string, curve: Curve, at: number, trials: number): boolean {
    const averages: number[] = [];
    for (const [other, { points }] of this.#curves) {
      if (other === trial || (points.at(-1)?.[0] ?? 0) < at) continue;
      const upTo = points.filter(([step]) => step <= at);
      averages.push(upTo.reduce((sum, [, value]) => sum + value, 0) / upTo.length);
    }
    if (averages.length < trials) return false;
    return bestUpTo(curve, at) < median(averages);
  }

  /** At a rung it is not among the best `1 / factor` of those that came to it so far. */
  #failsRung(
    trial: string,
    curve: Curve,
    at: number,
    rule: Extract<Pruning["rule"], { readonly kind: "asha" }>,
  ): boolean {
    for (let rung = rule.first; rung < rule.last && rung <= at; rung *= rule.factor) {
      if (curve.judged.has(rung)) continue;
      curve.judged.add(rung);
      const others = [...this.#curves].flatMap(([other, { points }]) => {
        const reached = other !== trial && (points.at(-1)?.[0] ?? 0) >= rung;
        return reached ? [bestUpTo({ points }, rung)] : [];
      });
      const own = bestUpTo(curve, rung);
      const places = Math.max(1, Math.floor((others.length + 1) / rule.factor));
      const better = others.filter((value) => value > own).length;
      if (others.length + 1 >= rule.factor && better >= places) return true;
    }
    return false;
  }
}

/** At or before a step; of a later one when nothing was told before it. */
function bestUpTo({ points }: Pick<Curve, "points">, at: number): number {
  const upTo = points.filter(([step]) => step <= at);
  const [first] = points;
  return upTo.reduce(
    (best, [, value]) => Math.max(best, value),
    upTo.length === 0 ? (first?.[1] ?? 0) : Number.NEGATIVE_INFINITY,
  );
}

function median(values: number[]): number {
  values.sort((a, b) => a - b);
  const middle = values.length >> 1;
  const upper = values[middle] ?? 0;
  return values.length % 2 === 1 ? upper : ((values[middle - 1] ?? 0) + upper) / 2;
}
