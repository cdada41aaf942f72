// A makespan that no policy can beat, whatever it knows: sharing only stretches a job. Memory over
// time is bounded through dual feasible functions, as in vector bin packing with durations.

import { memoryAt, type SimulatedJob, type Workload } from "./workload.ts";

const EPSILONS: readonly number[] = Array.from({ length: 20 }, (_, n) => (n + 1) / 40);

/** Seconds. */
export function lowerBound({ jobs, cards, cardBytes }: Workload): number {
  // Nobody computes or holds memory before the shortest start-up is over.
  const first = Math.min(...jobs.map(({ startUpS }) => startUpS));
  const longest = Math.max(...jobs.map(({ durationS }) => durationS));
  const work = (share: (job: SimulatedJob) => number): number =>
    jobs.reduce((sum, job) => sum + share(job) * (job.durationS - job.startUpS), 0) / cards;
  const functions = [identity, ...EPSILONS.map((epsilon) => cut(epsilon))];
  const areas = functions.map(() => 0);
  for (const job of jobs)
    for (let at = 0; at < job.durationS; at++) {
      const share = memoryAt(job, at) / cardBytes;
      functions.forEach((each, index) => {
        areas[index] = (areas[index] ?? 0) + each(share);
      });
    }
  return Math.max(
    longest,
    first + work(({ busy }) => busy),
    first + work(({ bandwidth }) => bandwidth),
    ...areas.map((area) => first + area / cards),
  );
}

const identity = (share: number): number => share;

/** What is nearly a whole card counts as one, what is small not at all. */
const cut =
  (epsilon: number) =>
  (share: number): number =>
    share > 1 - epsilon ? 1 : share < epsilon ? 0 : share;
