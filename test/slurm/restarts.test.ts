/** What takes a running job away, and what becomes of it: asked for again, preempted, lost, cancelled. */
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemSuite } from "../rig/system.ts";
import { type JobBench, openBench } from "./bench.ts";
import { type Cluster, startCluster } from "./cluster.ts";

const anyNumber = { restarts: { max: undefined } };

/** Counts its starts in the checkpoint directory, tells of each and ends with 0 at the fourth. */
const counter = (code: number) => `
n=$(cat "$CKPT/n" 2>/dev/null || echo 0)
echo "$FLOW_ATTEMPT $FLOW_RESTART_COUNT $FLOW_RESTART_REASON $FLOW_RESUME $n"
sleep 0.1
echo $((n + 1)) >"$CKPT/n"
[ "$n" -ge 3 ] || exit ${code}`;

/**
 * Runs until it is told to stop; then saves, says what it was told and asks to run again. SLURM signals
 * every process of a job, so the signal can be there before the stop file.
 */
const trainer = `
[ ! -e "$CKPT/state" ] || { echo "again $FLOW_RESTART_REASON"; exit 0; }
trap 'trap "" TERM; until [ -e "$FLOW_STOP_FILE" ]; do sleep 0.05; done; echo "told $(cat "$FLOW_STOP_FILE")"; echo saved >"$CKPT/state"; exit 75' TERM
echo ready
while :; do sleep 0.05; done`;

systemSuite("slurm", "jobs that are taken away", () => {
  let cluster: Cluster;
  let bench: JobBench;
  beforeAll(async () => {
    cluster = await startCluster({
      CONTROLLER: "preempt_send_user_signal",
      // Long enough for a busy machine; who is told in time leaves at once.
      GRACE: 120,
      KILLWAIT: 30,
    });
    bench = await openBench(cluster);
  });
  afterAll(async () => {
    await bench?.[Symbol.asyncDispose]();
    cluster?.stop();
  });

  const inPartition = (partition: string, node: string) => ({
    options: { partition, sbatch: [`--nodelist=${node}`, "--cpus-per-task=8"] },
  });

  it("a program that asks for a requeue is restarted as the same job until it is done", async () => {
    const job = bench.job(counter(3), { requeueCodes: [75, 3], ...anyNumber });
    await bench.submit(job);
    expect(await bench.ended(job)).toMatchObject({ code: 0, restarts: 3, cause: undefined });
    expect(bench.output(job)).toBe(
      "1 0 first 0 0\n2 1 requeue 1 1\n3 2 requeue 1 2\n4 3 requeue 1 3\n",
    );
  });

  it("a requeue without progress is handed to flow", async () => {
    const job = bench.job("exit 75", anyNumber);
    await bench.submit(job);
    const exit = await bench.ended(job);
    expect(exit.code).toBe(75);
    expect(exit.restarts).toBe(undefined);
  });

  it("a job restarts no more often than it may", async () => {
    const job = bench.job(counter(75), { restarts: { max: 1 } });
    await bench.submit(job);
    expect(await bench.ended(job)).toMatchObject({ code: 75, restarts: 1 });
  });

  it("a job that may not restart is told nothing of requeues", async () => {
    const job = bench.job(counter(75));
    await bench.submit(job);
    const exit = await bench.ended(job);
    expect(exit.code).toBe(75);
    expect(
      cluster.run("squeue", "-h", "-t", "all", "-j", bench.id(job), "-O", "RestartCnt").trim(),
    ).toBe("0");
  });

  it("a preempted job runs again and knows why", async () => {
    const job = bench.job(trainer, { ...inPartition("low", "n1"), ...anyNumber });
    await bench.submit(job);
    await bench.printed(job, "ready");
    const rival = bench.job("sleep 1", inPartition("high", "n1"));
    await bench.submit(rival);
    expect(await bench.ended(job)).toMatchObject({ code: 0, restarts: 1 });
    expect(bench.output(job)).toMatch(
      /^ready\ntold \{"reason":"preempt","at":\d+,"kill_at":\d+\}\nagain preempt\n$/,
    );
  });

  it("a job that may not restart is preempted all the same, not cancelled", async () => {
    const job = bench.job(trainer, inPartition("low", "n3"));
    await bench.submit(job);
    await bench.printed(job, "ready");
    await bench.submit(bench.job("sleep 1", inPartition("high", "n3")));
    expect(await bench.ended(job)).toMatchObject({ code: 75, stopped: "preempt" });
  });

  it("a preemption with a grace time tells the program its exact deadline", async () => {
    const patient = trainer.replace(
      "echo saved",
      'until [ -e "$CKPT/go" ]; do sleep 0.05; done; echo saved',
    );
    const stop = { signal: "SIGTERM", graceMs: 600_000 };
    const job = bench.job(patient, { ...inPartition("grace", "n2"), ...anyNumber, stop });
    await bench.submit(job);
    await bench.printed(job, "ready");
    const rival = bench.job("sleep 1", inPartition("high", "n2"));
    await bench.submit(rival);
    await bench.printed(job, "told");
    const [, killAt] = /"preempt","at":\d+,"kill_at":(\d+)/.exec(bench.output(job)) ?? [];
    const shown = cluster.run("scontrol", "-o", "show", "job", bench.id(job));
    const [, end = ""] = / EndTime=(\S+)/.exec(shown) ?? [];
    expect(Math.abs(Number(killAt) - Date.parse(end) / 1000)).toBeLessThanOrEqual(1);
    writeFileSync(`${job.paths.checkpoint}/go`, "");
    expect(await bench.ended(job)).toMatchObject({ code: 0, restarts: 1 });
    expect(bench.output(job)).toContain("again");
  });

  it("the warning before a time limit is a stop with the reason `deadline`", async () => {
    const job = bench.job(trainer, anyNumber);
    await bench.submit(job);
    await bench.printed(job, "ready");
    cluster.run("scancel", "--batch", "--signal=USR2", bench.id(job));
    await bench.printed(job, `"reason":"deadline"`);
    expect(await bench.ended(job)).toMatchObject({ code: 0, restarts: 1 });
    expect(bench.output(job)).toContain("again deadline");
  });

  it("a job that somebody cancels is cancelled, not failed", async () => {
    const job = bench.job(trainer, anyNumber);
    await bench.submit(job);
    await bench.printed(job, "ready");
    cluster.run("scancel", bench.id(job));
    expect(await bench.ended(job)).toMatchObject({ stopped: "user", code: 75 });
    const waiting = bench.job("true", { options: { sbatch: ["--begin=now+1hour"] } });
    await bench.submit(waiting);
    await bench.waitsFor(waiting, "it is being requeued");
    cluster.run("scancel", bench.id(waiting));
    expect(await bench.ended(waiting)).toMatchObject({ stopped: "user", code: undefined });
  });

  it("the orphan of a node that was given up cannot publish its result", async () => {
    const script = `echo "on $SLURMD_NODENAME $FLOW_RESTART_REASON"
[ "$FLOW_RESTART_COUNT" -gt 0 ] || { until [ -e "$CKPT/go" ]; do sleep 0.05; done; echo orphan done; exit 0; }
until [ -e "$CKPT/end" ]; do sleep 0.05; done; exit 7`;
    const job = bench.job(script, { ...anyNumber, options: { sbatch: ["--exclude=n1,n2"] } });
    await bench.submit(job);
    await bench.printed(job, "on n");
    const node = /on (n\d)/.exec(bench.output(job))?.[1] ?? "";
    cluster.kill(node);
    cluster.run("scontrol", "update", `nodename=${node}`, "state=down", "reason=test");
    await bench.seen(job, "queued");
    writeFileSync(`${job.paths.checkpoint}/go`, "");
    await bench.printed(job, "orphan done");
    expect((await bench.observe(job)).type).not.toBe("ended");
    await bench.printed(job, "host-lost");
    writeFileSync(`${job.paths.checkpoint}/end`, "");
    expect(await bench.ended(job)).toMatchObject({ code: 7, restarts: 1 });
    cluster.begin(node);
  });
});
