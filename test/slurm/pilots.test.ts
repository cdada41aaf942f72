/** Short tasks through a few jobs that take one after another. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Handle, Job } from "@flow/core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemSuite } from "../rig/system.ts";
import { type JobBench, openBench } from "./bench.ts";
import { type Cluster, startCluster } from "./cluster.ts";

systemSuite("slurm", "pilots", () => {
  let cluster: Cluster;
  let bench: JobBench;
  beforeAll(async () => {
    cluster = await startCluster();
    bench = await openBench(cluster, { mode: "pilot", pilots: 2, pilot_idle: "1s" });
  });
  afterAll(async () => {
    await bench?.[Symbol.asyncDispose]();
    cluster?.stop();
  });

  const { signal } = new AbortController();
  const pilotOf = (job: Job): string | undefined => {
    const file = join(job.paths.attempt, "0.0/pilot");
    return existsSync(file) ? readFileSync(file, "utf8").trim() : undefined;
  };
  async function submitAll(jobs: readonly Job[]): Promise<ReadonlyMap<Job["key"], Handle>> {
    const answers = await bench.backend.submit(jobs, signal);
    return new Map(
      jobs.map(({ key }) => {
        const answer = answers.get(key);
        if (answer?.ok !== true) throw new Error(JSON.stringify(answer));
        return [key, answer.value] as const;
      }),
    );
  }

  it("many tasks run once each, in no more jobs than there may be pilots", async () => {
    const jobs = Array.from({ length: 20 }, (_, n) =>
      bench.job(`echo start >>"$CKPT/starts"; exit ${n % 3}`),
    );
    const handles = await submitAll(jobs);
    const codes = new Map<string, number | undefined>();
    await bench.fixture.until(async () => {
      const answer = await bench.backend.observe(handles, signal);
      for (const [key, seen] of answer.ok ? answer.value : [])
        if (seen.type === "ended") codes.set(key, seen.exit.code);
      return codes.size === jobs.length;
    }, "twenty ends");
    expect(jobs.map(({ key }) => codes.get(key))).toEqual(jobs.map((_, n) => n % 3));
    for (const job of jobs)
      expect(readFileSync(join(job.paths.checkpoint, "starts"), "utf8")).toBe("start\n");
    expect(new Set(jobs.map(pilotOf)).size).toBeLessThanOrEqual(2);
  });

  it("what a killed pilot had not begun is run by another, and what it ran is not forgotten", async () => {
    const hold = `until [ -e "$CKPT/go" ]; do sleep 0.05; done`;
    const [first, second, third] = [bench.job(hold), bench.job(hold), bench.job("exit 5")];
    for (const job of [first, second, third]) await bench.submit(job);
    await bench.seen(first, "running");
    await bench.seen(second, "running");
    cluster.run("scancel", pilotOf(first) ?? "", pilotOf(second) ?? "");
    expect(await bench.ended(first)).toMatchObject({ stopped: "user" });
    expect(await bench.ended(second)).toMatchObject({ stopped: "user" });
    expect(await bench.ended(third, 40)).toMatchObject({ code: 5 });
  });

  it("a task is stopped alone, whether it runs or waits", async () => {
    const trap = `trap 'echo "told $(cat "$FLOW_STOP_FILE")"; exit 75' TERM; echo ready; while :; do sleep 0.05; done`;
    const [first, second, waiting] = [bench.job(trap), bench.job(trap), bench.job("true")];
    for (const job of [first, second]) await bench.submit(job);
    for (const job of [first, second]) {
      await bench.seen(job, "running");
      await bench.printed(job, "ready");
    }
    const handle = await bench.submit(waiting);
    expect((await bench.observe(waiting)).type).toBe("queued");
    await bench.backend.cancel(handle, "graceful", "pruned", signal);
    expect(await bench.ended(waiting)).toMatchObject({ stopped: "pruned", code: undefined });
    const [one] = await submitAll([first]).then((handles) => [...handles.values()]);
    await bench.backend.cancel(one ?? null, "graceful", "user", signal);
    expect(await bench.ended(first)).toMatchObject({ stopped: "user", code: 75 });
    expect(bench.output(first)).toContain(`told {"reason":"user"`);
    expect((await bench.observe(second)).type).toBe("running");
    const [other] = await submitAll([second]).then((handles) => [...handles.values()]);
    await bench.backend.cancel(other ?? null, "forced", "user", signal);
    expect(await bench.ended(second)).toMatchObject({ stopped: "user" });
  });
});
