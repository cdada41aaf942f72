// Of candidates for one dep, the one whose task has the best metric; what it was is read from the
// records of their last successes.

import { layout as layoutOf } from "../engine/layout.ts";
import { attemptKey } from "../model/ids.ts";
import type { Candidate, Dep } from "../model/task.ts";
import { type AttemptResult, attemptSerials, readAttempt } from "../record/attempt-record.ts";
import type { InputSources } from "./inputs.ts";
import type { InputProblem } from "./trace.ts";

/** The deps without the candidates that were not chosen. A choice without any adds a problem. */
export function choose(
  deps: readonly Dep[],
  sources: InputSources,
  problems: InputProblem[],
): readonly Dep[] {
  const choices = new Map<string, { readonly dep: Dep; readonly candidate: Candidate }[]>();
  for (const dep of deps) {
    const candidate = candidateOf(dep);
    if (candidate === undefined) continue;
    const others = choices.get(candidate.choice);
    if (others === undefined) choices.set(candidate.choice, [{ dep, candidate }]);
    else others.push({ dep, candidate });
  }
  if (choices.size === 0) return deps;
  const winners = new Set<Dep>();
  for (const candidates of choices.values()) {
    const best = bestOf(candidates, sources);
    if ("message" in best) problems.push(best);
    else winners.add(best);
  }
  return deps.flatMap((dep) => {
    if (candidateOf(dep) === undefined) return [dep];
    return winners.has(dep) ? [{ ...dep, optional: false }] : [];
  });
}

const candidateOf = (dep: Dep): Candidate | undefined =>
  dep.kind === "file" || dep.kind === "directory" ? dep.candidate : undefined;

function bestOf(
  candidates: readonly { readonly dep: Dep; readonly candidate: Candidate }[],
  sources: InputSources,
): Dep | InputProblem {
  const known = new Set<string>();
  let best: { readonly dep: Dep; readonly value: number } | undefined;
  for (const { dep, candidate } of candidates) {
    const metrics = metricsOf(candidate, sources);
    for (const name of Object.keys(metrics)) known.add(name);
    const found = lastOrBest(metrics, candidate.metric);
    if (found === undefined) continue;
    const value = candidate.direction === "max" ? found : -found;
    if (best === undefined || value > best.value) best = { dep, value };
  }
  if (best !== undefined) return best.dep;
  const [first] = candidates;
  const metric = first?.candidate.metric ?? "";
  const there =
    known.size === 0 ? "they tell none" : `there are ${[...known].slice(0, 8).join(", ")}`;
  return {
    kind: "value",
    path: metric,
    message: `None of the ${candidates.length} candidates of \`${first?.dep.from?.split("@")[0] ?? ""}\` has the metric \`${metric}\`; ${there}.`,
  };
}

/** `val.acc` is the last value, `val.acc.max` the largest of all steps. */
function lastOrBest(metrics: AttemptResult["metrics"], name: string): number | undefined {
  const own = metrics[name];
  if (own !== undefined) return own.last;
  const [, metric = "", field = "last"] = /^(.*)\.(last|min|max)$/.exec(name) ?? [];
  return metrics[metric]?.[field as "last" | "min" | "max"];
}

/** Of the last success; empty when there was none. Everything looked at is noted. */
function metricsOf(
  { task }: Candidate,
  { root, fileSystem, digester }: InputSources,
): AttemptResult["metrics"] {
  const layout = layoutOf(root);
  digester.noteDirectories([layout.attempts(task)]);
  for (const serial of attemptSerials(layout, task, fileSystem).toReversed()) {
    const { result } = readAttempt(layout, task, serial, fileSystem);
    if (result?.outcome.type !== "success") continue;
    digester.noteFile(`${layout.attempt(attemptKey(task, serial))}/result.json`);
    return result.metrics;
  }
  return {};
}
