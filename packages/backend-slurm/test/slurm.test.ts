/** What SLURM is asked and what its answers mean. */
import type { Job } from "@flow/core";
import { describe, expect, it } from "vitest";
import { parseOptions, parseTaskOptions, type SlurmOptions } from "../src/options.ts";
import { slurm } from "../src/schedulers/slurm/slurm.ts";

const options = (input: unknown): SlurmOptions => {
  const parsed = parseOptions(input);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return parsed.value;
};
const scheduler = slurm(options({ partition: "cpu", sbatch: ["--exclusive"] }));

const job = (resources: Partial<Job["resources"]>, more: Partial<Job> = {}): Job =>
  ({
    stop: { signal: "SIGTERM", graceMs: 20_000 },
    resources,
    options: {},
    interactive: false,
    container: undefined,
    ...more,
  }) as Job;

const answer = (stdout: string, stderr = "", code: number | undefined = 0) => ({
  code,
  stdout,
  stderr,
});

describe("options", () => {
  it("a mistake is located", () => {
    const wrong = parseOptions({ partion: "x", poll: "soon", port: 0 });
    expect(wrong.ok ? [] : wrong.error.map(({ path }) => path.join("."))).toEqual([
      "poll",
      "port",
      "partion",
    ]);
    expect(parseTaskOptions({ sbatch: "--x" }).ok).toBe(false);
  });

  it.each([
    "--job-name=mine",
    "-J",
    "-Jmine",
    "--array=1-3",
    "-a1-3",
    "--wait",
    "-W",
    "--clusters=b",
  ])("%s of sbatch is flow's own, for one task as for all", (word) => {
    const option = word.replace(/=.*/, "");
    const message = `flow itself decides about \`${option}\` of sbatch, or would lose the job; leave it out.`;
    const error = [{ path: ["sbatch", 1], message }];
    for (const parse of [parseOptions, parseTaskOptions])
      expect(parse({ sbatch: ["--exclusive", word] })).toMatchObject({ ok: false, error });
  });

  it("what else sbatch knows passes through", () => {
    const sbatch = ["--exclude=a,b", "-x", "node7", "-A", "me", "--hint=nomultithread", "--nice"];
    for (const parse of [parseOptions, parseTaskOptions])
      expect(parse({ sbatch })).toMatchObject({ ok: true, value: { sbatch } });
  });

  it("nothing is needed", () => {
    expect(options(undefined)).toMatchObject({
      sbatch: [],
      poll: 2000,
      transport: "ssh2",
      pilots: 8,
    });
  });
});

describe("requests", () => {
  it("resources become options, the task's own come last", () => {
    const wanted = {
      cpusMilli: 1500,
      memoryBytes: 3e9,
      gpusMilli: 2000,
      gpuModel: "a100",
      timeMs: 5_400_000,
      nodes: 2,
      mpiProcesses: 8,
      diskBytes: 2 ** 30,
    };
    const own = { options: { partition: "gpu", account: "a", sbatch: ["--nice"] } };
    expect(scheduler.request(job(wanted, own))).toEqual([
      "--partition=gpu",
      "--account=a",
      "--nodes=2",
      "--ntasks=8",
      "--cpus-per-task=2",
      "--mem=2862M",
      "--gres=gpu:a100:2",
      "--tmp=1024M",
      "--time=90",
      "--signal=B:USR2@30",
      "--exclusive",
      "--nice",
    ]);
  });

  it("no warning is asked for where it would come with the start", () => {
    const request = scheduler.request(job({ timeMs: 60_000 }));
    expect(request.some((each) => each.startsWith("--signal"))).toBe(false);
  });

  const tryOut = (stderr: string, code: number | undefined, timeMs?: number) =>
    scheduler.parseTryOut(
      answer("", stderr, code),
      job(timeMs === undefined ? {} : { timeMs }),
      answer("low|infinite\nshort|10:00\nlong|2-01:00:00\n"),
    );
  const start = (partition: string) =>
    `sbatch: Job 5 to start at 2026-11-21T13:55:21 using 1 processors on nodes n1 in partition ${partition}\n`;

  it.each([
    ["allocation failure: Requested node configuration is not available", 1],
    ["sbatch: error: invalid partition specified: nowhere\nallocation failure: x", 1],
    ["sbatch: error: Invalid generic resource (gres) specification", 1],
    ["sbatch: unrecognized option '--colour'", 255],
  ])("what can never start is refused: %s", (stderr, code) => {
    expect(tryOut(stderr, code)).toBe(
      stderr.split("\n")[0]?.replace(/^(sbatch|allocation failure): (error: )?/, ""),
    );
  });

  it.each([
    ["allocation failure: Requested nodes are busy", 1],
    ["sbatch: error: Unable to contact slurm controller (connect failure)", 1],
    ["sbatch: error: AssocMaxSubmitJobLimit", 1],
    ["", undefined],
    [start("low"), 0],
  ])("what may start later is not: %s", (stderr, code) => {
    expect(tryOut(stderr, code, 86_400_000)).toBeUndefined();
  });

  it("a time beyond the partition's limit is refused, which SLURM itself lets wait for ever", () => {
    expect(tryOut(start("short"), 0, 601_000)).toBe(
      "the longest time in partition short is 10 minutes, `time` asks for 11",
    );
    expect(tryOut(start("short"), 0, 600_000)).toBeUndefined();
    expect(tryOut(start("long"), 0, 49 * 3_600_000)).toBeUndefined();
    expect(tryOut(start("long"), 0, 49 * 3_600_000 + 1)).toContain("2940 minutes");
  });

  it("a submission says what it is, where its words go, and what its members run", () => {
    const { argv, input } = scheduler.submit({
      name: "flow-1",
      title: "train",
      members: 3,
      request: ["--nodes=1"],
      restartable: true,
      command: ["sh", "/p/it's/member.sh"],
      log: "/p/100%/log",
    });
    expect(argv).toEqual([
      "sbatch",
      "--parsable",
      "--job-name=flow-1",
      "--comment=train",
      "--array=0-2",
      "--requeue",
      "--output=/p/100%%/log",
      "--open-mode=append",
      "--nodes=1",
    ]);
    expect(input).toBe("#!/bin/sh\nexec 'sh' '/p/it'\\''s/member.sh'\n");
  });
});

describe("answers", () => {
  it("a submit is taken, refused, put off, or nobody knows", () => {
    const meaning = (result: ReturnType<typeof answer>) => {
      const parsed = scheduler.parseSubmitted(result);
      return parsed.ok ? parsed.value : parsed.error.type;
    };
    expect(meaning(answer("12;cluster\n"))).toBe("12");
    expect(meaning(answer("sbatch: lua: welcome\n13\n"))).toBe("13");
    expect(meaning(answer("", "sbatch: error: invalid partition specified: x", 1))).toBe(
      "rejected",
    );
    expect(
      meaning(
        answer(
          "",
          "sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy",
          1,
        ),
      ),
    ).toBe("busy");
    expect(meaning(answer("", "sbatch: error: Unable to contact slurm controller", 1))).toBe(
      "unclear",
    );
    expect(meaning(answer("", "", undefined))).toBe("unclear");
    expect(meaning(answer(""))).toBe("unclear");
  });

  it("a list is read, whatever other jobs are called", () => {
    const text = `7|N/A|2|PENDING|BeginTime||flow-a|
9|3|0|RUNNING|None|n[1-2]|flow-b|
11|N/A|0|RUNNING|None|n1|my|job|
`;
    expect(scheduler.parseList(answer(text))?.slice(0, 2)).toMatchObject([
      { name: "flow-a", index: 0, id: "7", restarts: 2, phase: "waiting", why: "BeginTime" },
      { name: "flow-b", index: 3, id: "9_3", restarts: 0, phase: "running", node: "n[1-2]" },
    ]);
    expect(scheduler.parseList(answer("", "slurm_load_jobs error", 1))).toBe(undefined);
  });

  it("history tells what became of a job, and its absence tells nothing", () => {
    expect(scheduler.parseHistory(answer("9_3|CANCELLED by 1000|n1|flow-b\n"))).toMatchObject([
      { name: "flow-b", index: 3, cancelled: true, phase: "ended" },
    ]);
    expect(scheduler.parseHistory(answer("", "accounting storage is disabled", 1))).toEqual([]);
  });

  it("the size of arrays is the cluster's, or the usual one", () => {
    expect(scheduler.parseSettings(answer("MaxArraySize            = 11\n"))).toEqual({
      maxMembers: 10,
    });
    expect(scheduler.parseSettings(answer("", "", undefined))).toEqual({ maxMembers: 1000 });
  });
});
