/**
 * What the commands of SLURM 20.02 to 25.11 print. The texts of 22.05 were recorded from real daemons;
 * the others follow the public sources of the release branches (squeue/print.c, sacct, sbatch, api/allocate.c,
 * api/job_info.c and scontrol/info_job.c, common/slurm_errno.c, common/job_state_reason.c).
 */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Job } from "@flow/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseOptions } from "../src/options.ts";
import { slurm } from "../src/schedulers/slurm/slurm.ts";
import { neverStarts, STATES } from "../src/schedulers/slurm/states.ts";

const options = parseOptions({});
if (!options.ok) throw new Error(JSON.stringify(options.error));
const scheduler = slurm(options.value);
const answer = (stdout: string, stderr = "", code: number | undefined = 0) => ({
  code,
  stdout,
  stderr,
});

describe("states", () => {
  it.each([
    [
      "20.02 to 24.11",
      "BOOT_FAIL CANCELLED COMPLETED COMPLETING CONFIGURING DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PENDING PREEMPTED REQUEUED REQUEUE_FED REQUEUE_HOLD RESIZING RESV_DEL_HOLD REVOKED RUNNING SIGNALING SPECIAL_EXIT STAGE_OUT STOPPED SUSPENDED TIMEOUT",
    ],
    ["the REST interface", "LAUNCH_FAILED RECONFIG_FAIL POWER_UP_NODE UPDATE_DB"],
    ["25.11", "EXPEDITING"],
  ])("each one of %s has a meaning", (_, names) => {
    for (const name of names.split(" ")) expect(STATES[name], name).toBeDefined();
  });
});

describe("squeue", () => {
  const read = (text: string) =>
    scheduler.parseList(answer(text))?.map(({ id, index, phase, why, stuck, node, restarts }) => ({
      row: `${id} ${index} ${phase}${stuck ? " stuck" : ""} ${restarts} ${node}`,
      why,
    }));

  it.each([
    ["20.02", "7|N/A|0|PENDING|Resources||flow-a|", "7 0 waiting 0 undefined", "Resources"],
    [
      "20.11",
      "7|N/A|0|RUNNING|None|cn[001-004,07]|flow-a|",
      "7 0 running 0 cn[001-004,07]",
      undefined,
    ],
    ["22.05", "7|12|2|PENDING|BeginTime||flow-a|", "7_12 12 waiting 2 undefined", "BeginTime"],
    [
      "22.05",
      "7|0|0|PENDING|JobHeldUser||flow-a|",
      "7_0 0 waiting stuck 0 undefined",
      "JobHeldUser",
    ],
    [
      "23.11",
      "7|N/A|0|PENDING|ReqNodeNotAvail, UnavailableNodes:n[1-4]||flow-a|",
      "7 0 waiting 0 undefined",
      "ReqNodeNotAvail, UnavailableNodes:n[1-4]",
    ],
    [
      "23.11",
      "7|N/A|1|PENDING|launch failed requeued held||flow-a|",
      "7 0 waiting stuck 1 undefined",
      "launch failed requeued held",
    ],
    [
      "24.05",
      "7|N/A|0|COMPLETING|NonZeroExitCode|n1|flow-a|",
      "7 0 ending 0 n1",
      "NonZeroExitCode",
    ],
    ["24.11", "7|N/A|0|OUT_OF_MEMORY|OutOfMemory|n1|flow-a|", "7 0 ended 0 n1", "OutOfMemory"],
    ["25.11", "7|N/A|3|EXPEDITING|None|(null)|flow-a|", "7 0 waiting 3 undefined", undefined],
  ])("a row of %s is read: %s", (_, line, row, why) => {
    expect(read(`${line}\n`)).toEqual([{ row, why }]);
  });

  it("is asked without what a person has narrowed it to", () => {
    const { argv } = scheduler.list();
    for (const name of ["SQUEUE_PARTITION", "SQUEUE_ACCOUNT", "SQUEUE_NAMES", "SQUEUE_QOS"])
      expect(argv[argv.indexOf(name) - 1], name).toBe("-u");
    for (const { argv: words } of scheduler.cancel(["7"], "graceful"))
      expect(words[words.indexOf("SCANCEL_STATE") - 1]).toBe("-u");
  });

  it.each([
    "slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
    "slurm_load_jobs error: Unable to contact slurm controller (receive failure)",
    "slurm_load_jobs error: Socket timed out on send/recv operation",
    "slurm_load_jobs error: Zero Bytes were transmitted or received",
    "slurm_load_jobs error: Slurm backup controller in standby mode",
    "slurm_load_jobs error: Rate limit exceeded, please retry momentarily",
  ])("that cannot answer tells nothing about any job: %s", (stderr) => {
    expect(scheduler.parseList(answer("", `${stderr}\n`, 1))).toBeUndefined();
  });
});

describe("reasons", () => {
  it.each([
    "AccountNotAllowed",
    "job requeued in held state",
    "job_requeued_in_held_state",
    "AssocMaxCpuPerJobLimit",
    "AssocMaxWallDurationPerJobLimit",
    "AssociationTimeLimit",
    "BadConstraints",
    "DependencyNeverSatisfied",
    "JobHeldAdmin",
    "MaxMemPerLimit",
    "PartitionTimeLimit",
    "QOSMaxGRESPerJob",
    "QOSMaxMemoryPerNode",
    "QOSMinGRES",
    "ReservationDeleted",
    "ReservationInvalid",
    "launch_failed_requeued_held",
  ])("%s means that a job waits for ever", (reason) => {
    expect(neverStarts(reason)).toBe(true);
  });

  it.each([
    "AssocGrpCpuLimit",
    "AssocGrpGRESMinutes",
    "AssocMaxJobsLimit",
    "BeginTime",
    "JobArrayTaskLimit",
    "Licenses",
    "MaxGRESPerAccount",
    "MpiPortsBusy",
    "NodeDown",
    "PartitionDown",
    "Priority",
    "QOSGrpNodeLimit",
    "QOSMaxCpuPerUserLimit",
    "QOSMaxJobsPerUserLimit",
    "ReqNodeNotAvail, Reserved for maintenance",
    "Reservation",
    "Resources",
    "SchedDefer",
  ])("%s passes", (reason) => {
    expect(neverStarts(reason)).toBe(false);
  });
});

describe("sbatch", () => {
  const meaning = (stderr: string, code: number | undefined = 1, stdout = "") => {
    const parsed = scheduler.parseSubmitted(answer(stdout, stderr, code));
    return parsed.ok ? parsed.value : parsed.error.type;
  };
  const failed = (why: string) => `sbatch: error: Batch job submission failed: ${why}\n`;
  const POLICY =
    "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)";

  it.each([
    ["", "4711\n"],
    ["sbatch: Warning: can't run 1 processes on 2 nodes, setting nnodes to 1\n", "4711\n"],
    ["sbatch: lua: your account has 3 hours left\n", "4711;alpha\n"],
  ])("takes a job: %j %j", (stderr, stdout) => {
    expect(meaning(stderr, 0, stdout)).toBe("4711");
  });

  it.each([
    failed("Invalid partition name specified"),
    failed("Invalid account or account/partition combination specified"),
    failed("Invalid qos specification"),
    failed("Requested node configuration is not available"),
    failed("Requested time limit is invalid (missing or exceeds some limit)"),
    failed("Memory required by task is not available"),
    failed("Invalid generic resource (gres) specification"),
    failed("Invalid job array specification"),
    failed("Access/permission denied"),
    `sbatch: error: AssocMaxWallDurationPerJobLimit\n${failed(POLICY)}`,
    `sbatch: error: QOSMaxGRESPerJob\n${failed(POLICY)}`,
    `sbatch: error: QOSMinGRES\n${failed(POLICY)}`,
  ])("refuses what no waiting changes: %s", (stderr) => {
    expect(meaning(stderr)).toBe("rejected");
  });

  it.each([
    failed(POLICY),
    `sbatch: error: AssocMaxSubmitJobLimit\n${failed(POLICY)}`,
    `sbatch: error: QOSMaxSubmitJobPerUserLimit\n${failed(POLICY)}`,
    `sbatch: error: AssocGrpSubmitJobsLimit\n${failed(POLICY)}`,
    "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying.\n",
    "sbatch: error: Slurm job queue full, sleeping and retrying\n",
    failed("Unable to create job record, try again"),
    failed("Requested nodes are busy"),
    failed("Required partition not available (inactive or drain)"),
    failed("Required node not available (down, drained or reserved)"),
    failed("Requested partition configuration not available now"),
    failed("Slurm backup controller in standby mode"),
    failed("Rate limit exceeded, please retry momentarily"),
    failed("Rate limit exceeded, please retry later"),
    failed("Protocol authentication error"),
    `sbatch: error: Munge encode failed: Failed to access "/run/munge/munge.socket.2": No such file or directory\n${failed("Protocol authentication error")}`,
  ])("puts off what passes by itself: %s", (stderr) => {
    expect(meaning(stderr)).toBe("busy");
  });

  it.each([
    failed("Unable to contact slurm controller (connect failure)"),
    failed("Unable to contact slurm controller (send failure)"),
    failed("Socket timed out on send/recv operation"),
    failed("Zero Bytes were transmitted or received"),
    "sbatch: error: Batch job submission failed: Transport endpoint is not connected\n",
  ])("may have taken a job: %s", (stderr) => {
    expect(meaning(stderr)).toBe("unclear");
  });

  const tryOut = (stderr: string, code: number) =>
    scheduler.parseTryOut(
      answer("", stderr, code),
      { resources: { timeMs: 86_400_000 } } as Job,
      answer("low|infinite\nshort|10:00\nmedium|4:00:00\n"),
    );
  const TOO_LONG = "the longest time in partition medium is 240 minutes, `time` asks for 1440";

  it.each([
    [
      "20.02 to 24.11",
      "sbatch: Job 5 to start at 2026-11-21T13:55:21 using 1 processors on nodes n1 in partition medium\n",
      TOO_LONG,
    ],
    [
      "25.11",
      "sbatch: Job 5 to start at 2026-11-21T13:55:21 a using 1 processors on nodes n1 in partition medium\n",
      TOO_LONG,
    ],
    [
      "a heterogeneous job",
      "sbatch: Job 5 to start at 2026-11-21T13:55:21 using 2 processors on n[1-2]\n",
      undefined,
    ],
  ])("says in the words of %s where a job would run", (_, stderr, refusal) => {
    expect(tryOut(stderr, 0)).toBe(refusal);
  });

  it("tells that a job asks for more than one may have", () => {
    const text = `sbatch: error: AssocMaxWallDurationPerJobLimit\nallocation failure: ${POLICY}\n`;
    expect(tryOut(text, 1)).toBe("AssocMaxWallDurationPerJobLimit");
    expect(tryOut(`allocation failure: ${POLICY}\n`, 1)).toBeUndefined();
  });
});

describe("sacct", () => {
  const read = (text: string) =>
    scheduler
      .parseHistory(answer(text))
      .map(({ id, index, state, phase, cancelled, cause, node }) =>
        [id, index, state, phase, cancelled, cause, node].join(" ").trimEnd(),
      );

  it("tells with slurmdbd what became of each kind of end, as recorded from 22.05", () => {
    expect(
      read(`1|COMPLETED|n1|flow-ok
2|FAILED|n1|flow-fail
3|TIMEOUT|n1|flow-long
4_0|CANCELLED by 0|n1|flow-arr
7|NODE_FAIL|n4|flow-nodefail
8|PREEMPTED|n3|flow-preempt
9|OUT_OF_MEMORY|n2|flow-big
`),
    ).toEqual([
      "1 0 COMPLETED ended false  n1",
      "2 0 FAILED ended false  n1",
      "3 0 TIMEOUT ended false time-limit n1",
      "4_0 0 CANCELLED by 0 ended true  n1",
      "7 0 NODE_FAIL ended false node-failed n4",
      "8 0 PREEMPTED ended false preempted n3",
      "9 0 OUT_OF_MEMORY ended false out-of-memory n2",
    ]);
  });

  it("names the elements of an array that never started together", () => {
    const ids = (elements: string) =>
      scheduler
        .parseHistory(answer(`5_${elements}|CANCELLED by 0|None assigned|flow-held\n`))
        .map(({ id, node }) => `${id} ${node}`);
    expect(ids("[0-3%2]")).toEqual([0, 1, 2, 3].map((n) => `5_${n} undefined`));
    expect(ids("[1,4-5,9-17:4]")).toEqual([1, 4, 5, 9, 13, 17].map((n) => `5_${n} undefined`));
    expect(
      scheduler.parseHistory(answer("5|CANCELLED by 0|None assigned|flow-held\n")),
    ).toMatchObject([{ id: "5", whole: true }]);
    expect(ids("[0,6,12...]")).toEqual(["5_0 undefined", "5_6 undefined"]);
  });

  it.each([
    "sacct: error: slurm_persist_conn_open_without_init: failed to open persistent connection to host:localhost:6819: Connection refused\nsacct: error: Problem talking to the database: Connection refused\n",
    "Slurm accounting storage is disabled\n",
  ])("that has no memory tells nothing: %s", (stderr) => {
    expect(scheduler.parseHistory(answer("", stderr, 1))).toEqual([]);
    expect(scheduler.parseUsage(answer("", stderr, 1))).toBeUndefined();
  });

  it("is asked for what was cancelled before it could start, too", () => {
    expect(scheduler.history(["flow-a", "flow-b"]).argv.join(" ")).toBe(
      "env SLURM_BITSTR_LEN=0 sacct -X -n -P -S now-30days -E now -s BF,CA,CD,DL,F,NF,OOM,PR,TO -o JobID,State,NodeList,JobName --name=flow-a,flow-b",
    );
  });
});

describe("scontrol", () => {
  it.each([
    ["20.02", "MaxArraySize            = 1001\n", 1000],
    [
      "22.05",
      "Configuration data as of 2026-11-21T20:12:09\nMaxArraySize            = 20001\n",
      20_000,
    ],
    ["24.11", "MaxArraySize            = 4000001\nMaxBatchRequeue         = 5\n", 4_000_000],
  ])("says in %s how long an array may be", (_, text, most) => {
    expect(scheduler.parseSettings(answer(text)).maxMembers).toBe(most);
  });

  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "flow-versions-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const script = fileURLToPath(new URL("../node/slurm.sh", import.meta.url));
  const END = "2026-11-21T20:12:09";
  /** What a job on its node makes of the answer about itself. */
  function why(state: string, reason: string, restarts: number, times: string): string {
    const line = `JobId=7 JobName=flow-a UserId=me(1000) GroupId=me(1000) MCS_label=N/A Priority=1 Nice=0 Account=(null) QOS=(null) JobState=${state} Reason=${reason} Dependency=(null) Requeue=1 Restarts=${restarts} BatchFlag=1 Reboot=0 ExitCode=0:0 RunTime=00:00:07 TimeLimit=01:00:00 TimeMin=N/A StartTime=2026-11-21T20:12:02 EndTime=${END} Deadline=N/A ${times} SuspendTime=None SecsPreSuspend=0 LastSchedEval=2026-11-21T20:12:02`;
    const bin = join(folder, "scontrol");
    writeFileSync(bin, `#!/bin/sh\n[ "$*" = "-o show job 7" ] && cat <<'END'\n${line}\nEND\n`);
    chmodSync(bin, 0o755);
    return execFileSync("sh", ["-c", `. '${script}'; job_why_stopped`], {
      cwd: folder,
      env: {
        PATH: `${folder}${delimiter}${process.env["PATH"] ?? ""}`,
        SLURM_JOB_ID: "7",
        TZ: "UTC",
      },
      encoding: "utf8",
    }).trim();
  }
  const end = Date.parse(`${END}Z`) / 1000;
  const OLD = "PreemptTime=None";
  const NEW = "PreemptEligibleTime=2026-11-21T20:12:02 PreemptTime=None";
  const PREEMPTED = `PreemptEligibleTime=2026-11-21T20:12:02 PreemptTime=${END}`;

  it.each([
    ["the warning before the limit, 20.02", "RUNNING", "None", 0, OLD, `deadline ${end}`],
    ["the warning before the limit, 20.11", "RUNNING", "None", 0, NEW, `deadline ${end}`],
    ["preemption with a grace time", "RUNNING", "None", 0, PREEMPTED, `preempt ${end}`],
    ["the time limit", "COMPLETING", "TimeLimit", 0, NEW, "deadline"],
    ["scancel", "COMPLETING", "None", 0, NEW, "user"],
    ["a requeue from outside", "COMPLETING", "None", 1, NEW, "preempt"],
    ["a node that was set down", "PENDING", "None", 1, NEW, "preempt"],
  ])("tells a job that is stopped the cause: %s", (_, state, reason, restarts, times, cause) => {
    expect(why(state, reason, restarts, times)).toBe(cause);
  });
});

describe("sinfo", () => {
  it.each([
    ["infinite", undefined],
    ["n/a", undefined],
    ["2-00:00:00", undefined],
    ["12:00:00", 720],
    ["30:00", 30],
    ["1-00:00:00", undefined],
  ])("a limit of %s is read", (limit, minutes) => {
    const refusal = scheduler.parseTryOut(
      answer(
        "",
        "sbatch: Job 5 to start at 2026-11-21T13:55:21 using 1 processors on nodes n1 in partition main\n",
      ),
      { resources: { timeMs: 86_400_000 } } as Job,
      answer(`main|${limit}\n`),
    );
    expect(refusal).toBe(
      minutes === undefined
        ? undefined
        : `the longest time in partition main is ${minutes} minutes, \`time\` asks for 1440`,
    );
  });
});
