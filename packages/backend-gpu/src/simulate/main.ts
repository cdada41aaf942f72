// `npm run bench:gpu [first seed] [number of seeds]`: prints the comparison as a Markdown table.

import { compare, type Comparison, POLICIES, type PolicyName } from "./compare.ts";
import { WORKLOADS, type WorkloadName } from "./workload.ts";

const first = Number(process.argv[2] ?? 5000);
const count = Number(process.argv[3] ?? 40);
const seeds = Array.from({ length: count }, (_, index) => first + index);

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

print(`Seeds ${first} to ${first + count - 1}. Mean makespan ÷ lower bound; in brackets the worst`);
print("seed and the jobs per 100 that ran out of memory.\n");
print(`| workload | ${POLICIES.join(" | ")} |`);
print(`|---|${POLICIES.map(() => "---").join("|")}|`);
const all = new Map<PolicyName, number[]>();
for (const name of WORKLOADS) {
  const cells = POLICIES.map((policy) => cell(name, policy));
  print(`| ${name} | ${cells.join(" | ")} |`);
}
const flow = all.get("flow") ?? [];
const share = (other: PolicyName, factor: number): string => {
  const better = flow.filter((ratio, at) => ratio < factor * (all.get(other)?.[at] ?? 0));
  return `${better.length} of ${flow.length}`;
};
print(`\nflow is faster than repaired GRN on ${share("GRN repaired", 1)}, than static 2 on`);
print(`${share("static 2", 1)}, and below exclusive × 1.05 on ${share("exclusive", 1.05)}.`);

function cell(name: WorkloadName, policy: PolicyName): string {
  const results = seeds.map((seed) => compare(name, policy, seed));
  all.set(policy, [...(all.get(policy) ?? []), ...results.map(({ ratio }) => ratio)]);
  const worst = Math.max(...results.map(({ ratio }) => ratio));
  const crashes = mean(results, ({ outOfMemoryPer100 }) => outOfMemoryPer100);
  const ratio = mean(results, (each) => each.ratio).toFixed(2);
  return `${ratio} (${worst.toFixed(2)}; ${crashes.toFixed(1)})`;
}

function mean(results: readonly Comparison[], value: (result: Comparison) => number): number {
  return results.reduce((sum, result) => sum + value(result), 0) / results.length;
}
