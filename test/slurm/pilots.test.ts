/** Short tasks through a few jobs that take one after another. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Handle, Job } from "@flow/core";
import { readMembership } from "../../packages/backend-slurm/src/attempt/files.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemSuite } from "../rig/system.ts";
import { type JobBench, openBench } from "./bench.ts";
import { type Cluster, startCluster } from "./cluster.ts";

systemSuite("slurm", "pilots", () => {
  let cluster: Cluster;
  let bench: JobBench;
  beforeAll(async () => {
    cluster = await startCluster({ KILLWAIT: 30 });
    bench = await openBench(cluster, { mode: "pilot", pilots: 2, pilot_idle: "1s" });
  });
  afterAll(async () => {
    await bench?.[Symbol.asyncDispose]();
    cluster?.stop();
  });

  const { signal } = new AbortController();
  /** The job that has taken it. */
  const takenFile = (job: Job): string => {
    const { name, index, generation } = readMembership(job.paths.attempt) ?? {};
    const entry = `${String(index).padStart(7, "0")}.${generation}`;
    return join(job.paths.root, "backends/cluster", `${name}/taken`, entry);
  };
  const pilotOf = (job: Job): string | undefined =>
    existsSync(takenFile(job)) ? readFileSync(takenFile(job), "utf8").trim() : undefined;
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
    for (const job of jobs) {
      expect(readFileSync(join(job.paths.checkpoint, "starts"), "utf8")).toBe("start\n");
      const machine = readFileSync(join(job.paths.attempt, "0.0/machine"), "utf8");
      expect(machine).toMatch(/^system=Linux .*\n(cpu=.*\n)?cpus=\d+\nmemory= *\d+ kB\n$/);
    }
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
    expect(await bench.ended(third)).toMatchObject({ code: 5 });
  });

  it("what a pilot had taken and not begun when it vanished is given to another", async () => {
    // A pilot that is still there would take the job.
    await bench.fixture.until(
      () => cluster.run("squeue", "-h", "-t", "PD,R,CG") === "",
      "the pilots of other tests to end",
    );
    bench.wrap("sbatch", `echo "sbatch: error: Unable to contact slurm controller" >&2; exit 1`);
    const job = bench.job(`echo start >>"$CKPT/starts"; exit 4`);
    await bench.submit(job);
    const { name } = readMembership(job.paths.attempt) ?? {};
    writeFileSync(takenFile(job), "999999\n");
    bench.wrap("sbatch", `exec "$REAL" "$@"`);
    expect(await bench.ended(job)).toMatchObject({ code: 4 });
    expect(readMembership(job.paths.attempt)).toMatchObject({ name, generation: 1 });
    expect(readFileSync(join(job.paths.checkpoint, "starts"), "utf8")).toBe("start\n");
  });

  it("a preempted pilot tells its task, and the next pilot runs what waited", async () => {
    const narrow = { options: { sbatch: ["--nodelist=n4", "--cpus-per-task=8"] } };
    const trap = `trap 'until [ -e "$FLOW_STOP_FILE" ]; do sleep 0.05; done; exit 75' TERM; echo ready; while :; do sleep 0.05; done`;
    const [first, second] = [bench.job(trap, narrow), bench.job("exit 6", narrow)];
    await bench.submit(first);
    await bench.printed(first, "ready");
    await bench.submit(second);
    const rival = bench.job("sleep 1", {
      options: { mode: "job", partition: "high", sbatch: ["--nodelist=n4", "--cpus-per-task=8"] },
    });
    await bench.submit(rival);
    expect(await bench.ended(first)).toMatchObject({ code: 75, stopped: "preempt" });
    expect(await bench.ended(second)).toMatchObject({ code: 6 });
  });

  it("tasks beside each other have a GPU each, and their pilots give signs of life", async () => {
    const { resources } = bench.job("true");
    const one = {
      resources: { ...resources, gpusMilli: 1000 },
      options: { sbatch: ["--nodelist=n2"] },
    };
    const show = `echo "$FLOW_GPUS $FLOW_GPU_COUNT $CUDA_VISIBLE_DEVICES"; until [ -e "$CKPT/go" ]; do sleep 0.05; done`;
    const jobs = [bench.job(show, one), bench.job(show, one)];
    for (const job of jobs) await bench.submit(job);
    for (const job of jobs) await bench.printed(job, "\n");
    const told = jobs.map((job) => bench.output(job));
    for (const each of told) expect(each).toMatch(/^(\d) 1 \1\n$/);
    expect(new Set(told).size).toBe(2);
    for (const job of jobs) {
      const beat = join(takenFile(job), "../../beats", pilotOf(job) ?? "");
      await bench.fixture.until(() => existsSync(beat), "a sign of life");
      writeFileSync(join(job.paths.checkpoint, "go"), "");
    }
    for (const job of jobs) expect(await bench.ended(job)).toMatchObject({ code: 0 });
  });

  it("scratch files of a task are gone before the next one starts in the same pilot", async () => {
    const script = `ls -A "$TMPDIR" | wc -l; echo x >"$FLOW_TMP_DIR/.left"; mkdir "$TMPDIR/also"`;
    const jobs = [bench.job(script), bench.job(script), bench.job(script)];
    for (const job of jobs) await bench.submit(job);
    for (const job of jobs) {
      await bench.ended(job);
      expect(bench.output(job).trim()).toBe("0");
    }
  });

  it("a task is stopped alone, whether it runs or waits", async () => {
    const trap = `trap 'trap "" TERM; echo "told $(cat "$FLOW_STOP_FILE")"; exit 75' TERM; echo ready; while :; do sleep 0.05; done`;
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
