/** Controllers that are away, answers that are lost: nothing fails for it and nothing runs twice. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemSuite } from "../rig/system.ts";
import { type JobBench, openBench } from "./bench.ts";
import { type Cluster, startCluster } from "./cluster.ts";

const hold = `echo start >>"$CKPT/starts"; until [ -e "$CKPT/go" ]; do sleep 0.05; done`;

systemSuite("slurm", "a scheduler that does not answer", () => {
  let cluster: Cluster;
  let bench: JobBench;
  beforeAll(async () => {
    cluster = await startCluster();
    bench = await openBench(cluster);
  });
  afterAll(async () => {
    await bench?.[Symbol.asyncDispose]();
    cluster?.stop();
  });

  it("a job whose submit got no answer is found by its name and runs once", async () => {
    bench.wrap(
      "sbatch",
      `[ "$1" != --version ] || exec "$REAL" "$@"
"$REAL" "$@" >ids
echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2
exit 1`,
    );
    const job = bench.job(`echo start >>"$CKPT/starts"`);
    await bench.submit(job);
    bench.wrap("sbatch", `exec "$REAL" "$@"`);
    expect((await bench.ended(job)).code).toBe(0);
    expect(cluster.run("cat", `${job.paths.checkpoint}/starts`)).toBe("start\n");
  });

  it("a submit that certainly did nothing is made anew, one that was refused is not", async () => {
    bench.wrap(
      "sbatch",
      `[ -e tried ] && exec "$REAL" "$@"
[ "$1" = --version ] || { : >tried; echo "sbatch: error: Unable to contact slurm controller" >&2; exit 1; }`,
    );
    const job = bench.job("true");
    const signal = new AbortController().signal;
    expect((await bench.backend.submit([job], signal)).get(job.key)).toEqual({
      ok: false,
      error: {
        type: "unavailable",
        message: "Unable to contact slurm controller",
        retryAfterMs: 5000,
      },
    });
    await bench.submit(job);
    expect((await bench.ended(job)).code).toBe(0);
    const wrong = bench.job("true", { options: { partition: "nowhere", sbatch: [] } });
    expect((await bench.backend.submit([wrong], signal)).get(wrong.key)).toEqual({
      ok: false,
      error: {
        type: "rejected",
        message: "The scheduler refused the job: invalid partition specified: nowhere",
      },
    });
  });

  it("while the controller is away a job is unknown, its result counts, and it never fails", async () => {
    const [one, other] = [bench.job(hold), bench.job(hold)];
    await bench.submit(one);
    await bench.submit(other);
    await bench.seen(one, "running");
    await bench.seen(other, "running");
    cluster.halt("slurmctld");
    const unknown = await bench.seen(one, "unknown");
    expect(unknown.why).toContain("slurm_load_jobs error");
    cluster.run("touch", `${one.paths.checkpoint}/go`);
    expect(await bench.ended(one)).toMatchObject({ code: 0 });
    cluster.begin("slurmctld");
    cluster.run("touch", `${other.paths.checkpoint}/go`);
    expect(await bench.ended(other)).toMatchObject({ code: 0 });
    expect(cluster.run("cat", `${one.paths.checkpoint}/starts`)).toBe("start\n");
  });

  it("equal jobs are one submission, and one question serves them all", async () => {
    bench.wrap("sbatch", `echo sbatch >>calls\nexec "$REAL" "$@"`);
    bench.wrap("squeue", `echo squeue >>calls\nexec "$REAL" "$@"`);
    const jobs = Array.from({ length: 40 }, () => bench.job("true"));
    const before = bench.told("calls");
    const answers = await bench.backend.submit(jobs, new AbortController().signal);
    expect([...answers.values()].every(({ ok }) => ok)).toBe(true);
    expect(bench.told("calls").slice(before.length)).toBe("sbatch\n");
    const handles = new Map(
      [...answers].map(([key, answer]) => [key, answer.ok ? answer.value : null] as const),
    );
    const { signal } = new AbortController();
    await bench.backend.observe(handles, signal);
    expect(bench.told("calls").slice(before.length)).toBe("sbatch\nsqueue\n");
    await bench.fixture.until(async () => {
      const seen = await bench.backend.observe(handles, signal);
      return seen.ok && [...seen.value.values()].every(({ type }) => type === "ended");
    }, "forty ends");
  });

  it("a job is told which GPUs it was granted", async () => {
    const { resources } = bench.job("true");
    const script = `echo "$FLOW_GPUS $FLOW_GPU_COUNT $CUDA_VISIBLE_DEVICES $CUDA_DEVICE_ORDER"`;
    const job = bench.job(script, { resources: { ...resources, gpusMilli: 2000 } });
    await bench.submit(job);
    expect((await bench.ended(job)).code).toBe(0);
    expect(bench.output(job)).toMatch(/^(\d,\d) 2 \1 PCI_BUS_ID\n$/);
  });

  it("a job that can never start says so at once", async () => {
    const job = bench.job("true", { options: { sbatch: ["--hold"] } });
    await bench.submit(job);
    await bench.waitsFor(job, "it will not start by itself: JobHeldUser");
  });
});
