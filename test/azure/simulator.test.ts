/** The simulated Batch account, used through the official client: what becomes of tasks, nodes, jobs and pools. */
import { describe, expect, it } from "vitest";
import { JOB, POOL, useSimulator } from "./fixture.ts";

const fixture = useSimulator();

/** A task that waits until it is ended. */
const waiting = { commandLine: "/bin/sh -c 'echo begun; sleep 600'" };

async function start(pool: object = {}, job: object = {}): Promise<void> {
  await fixture.client.pool.add({ ...POOL, ...pool });
  await fixture.client.job.add({ ...JOB, ...job });
}

async function run(commandLine: string, rest: object = {}): Promise<object> {
  await start();
  await fixture.client.task.add("job", { id: "task", commandLine, ...rest });
  return await fixture.completed("task");
}

const state = (taskId: string, wanted: string) =>
  fixture.simulator.until(`${taskId} ${wanted}`, ({ jobs }) =>
    jobs
      .flatMap(({ tasks }) => tasks)
      .find((task) => task["id"] === taskId && task["state"] === wanted),
  );

describe("a task", () => {
  it("runs as a process and shows its output, its files and its exit code", async () => {
    const done = await run("/bin/sh -c 'echo out; echo err >&2; echo made > made.txt; exit 3'");
    expect(done).toMatchObject({
      executionInfo: {
        exitCode: 3,
        result: "failure",
        failureInfo: { category: "UserError", code: "FailureExitCode" },
      },
    });
    expect(await fixture.read("task", "stdout.txt")).toBe("out\n");
    expect(await fixture.read("task", "stderr.txt")).toBe("err\n");
    expect(await fixture.read("task", "wd/made.txt", "bytes=2-3")).toBe("de");
    const files = await fixture.client.file.listFromTask("job", "task", { recursive: true });
    expect(files.map(({ name }) => name)).toEqual([
      "stderr.txt",
      "stdout.txt",
      "wd",
      "wd/made.txt",
    ]);
  });

  it("gets the variables of the service and its own, and no shell", async () => {
    const environmentSettings = [{ name: "OWN", value: "mine" }];
    await run("/usr/bin/env", { environmentSettings });
    const output = await fixture.read("task", "stdout.txt");
    const names = output.split("\n").map((line) => line.split("=")[0]);
    expect(names).toEqual(
      expect.arrayContaining([
        "AZ_BATCH_JOB_ID",
        "AZ_BATCH_NODE_ID",
        "AZ_BATCH_NODE_MOUNTS_DIR",
        "AZ_BATCH_POOL_ID",
        "AZ_BATCH_TASK_DIR",
        "AZ_BATCH_TASK_ID",
        "AZ_BATCH_TASK_WORKING_DIR",
        "OWN",
      ]),
    );
    expect(names).not.toContain("FLOW_AZURE_OPENAPI");
    await fixture.client.task.add("job", { id: "bare", commandLine: "/bin/echo $HOME && no" });
    await fixture.completed("bare");
    expect(await fixture.read("bare", "stdout.txt")).toBe("$HOME && no\n");
  });

  it("is not retried when its program is missing", async () => {
    const done = await run("no-such-program", { constraints: { maxTaskRetryCount: 3 } });
    expect(done).toMatchObject({
      executionInfo: { retryCount: 0, failureInfo: { code: "CommandProgramNotFound" } },
    });
    expect(done).not.toHaveProperty("executionInfo.exitCode");
  });

  it("is retried on the same node as often as it may after a failing exit code", async () => {
    const done = await run("/bin/sh -c 'echo again >> tries; exit 1'", {
      constraints: { maxTaskRetryCount: 2 },
    });
    expect(done).toMatchObject({ executionInfo: { retryCount: 2, exitCode: 1 } });
    expect(await fixture.read("task", "wd/tries")).toBe("again\nagain\nagain\n");
  });

  it("is ended by its wall-clock limit", async () => {
    await start();
    const constraints = { maxWallClockTime: "PT1H" };
    await fixture.client.task.add("job", { id: "task", ...waiting, constraints });
    await state("task", "running");
    fixture.simulator.clock.skip(3_600_001);
    expect(await fixture.completed("task")).toMatchObject({
      executionInfo: { failureInfo: { category: "ServerError", code: "TaskEnded" } },
    });
  });

  it("is ended by a request, once", async () => {
    await start();
    await fixture.client.task.add("job", { id: "task", ...waiting });
    await state("task", "running");
    await fixture.client.task.terminate("job", "task");
    expect(await fixture.completed("task")).toMatchObject({
      executionInfo: { result: "failure", failureInfo: { code: "TaskEnded" } },
    });
    await expect(fixture.client.task.terminate("job", "task")).rejects.toMatchObject({
      statusCode: 409,
      body: { code: "TaskCompleted" },
    });
  });

  it("waits for those it depends on", async () => {
    await start({}, { usesTaskDependencies: true });
    await fixture.client.task.addCollection("job", [
      { id: "second", commandLine: "/bin/true", dependsOn: { taskIds: ["first"] } },
      { id: "first", commandLine: "/bin/false" },
    ]);
    await fixture.completed("first");
    const { state: found } = await fixture.client.task.get("job", "second");
    expect(found).toBe("active");
    await fixture.client.task.reactivate("job", "first");
    await fixture.completed("first");
  });

  it("runs over several nodes, the primary last", async () => {
    await start({ targetDedicatedNodes: 2, enableInterNodeCommunication: true });
    await fixture.client.task.add("job", {
      id: "task",
      commandLine: "/bin/sh -c 'echo $AZ_BATCH_HOST_LIST $AZ_BATCH_IS_CURRENT_NODE_MASTER'",
      multiInstanceSettings: {
        numberOfInstances: 2,
        coordinationCommandLine: "/bin/sh -c 'echo $AZ_BATCH_IS_CURRENT_NODE_MASTER'",
      },
    });
    await fixture.completed("task");
    expect(await fixture.read("task", "stdout.txt")).toBe("10.0.0.4,10.0.0.5 true\n");
    const { value = [] } = await fixture.client.task.listSubtasks("job", "task");
    expect(value).toMatchObject([{ id: 1, state: "completed", exitCode: 0 }]);
  });
});

describe("a node", () => {
  it("that is preempted kills what runs there, loses its disk and comes back under its id", async () => {
    await start({ targetDedicatedNodes: 0, targetLowPriorityNodes: 1 });
    await fixture.client.task.add("job", { id: "task", ...waiting });
    const running = await state("task", "running");
    const { id } = await fixture.node("running");
    fixture.simulator.preempt(id);
    const waits = await state("task", "active");
    expect(waits).toMatchObject({ executionInfo: { retryCount: 0, requeueCount: 0 } });
    expect(waits).not.toHaveProperty("nodeInfo");
    await expect(fixture.read("task", "stdout.txt")).rejects.toMatchObject({ statusCode: 409 });
    fixture.simulator.restore(id);
    const again = await state("task", "running");
    expect(again).toMatchObject({ nodeInfo: { nodeId: id } });
    const started = (task: object) =>
      (task as { executionInfo: { startTime: string } }).executionInfo.startTime;
    expect(started(again)).not.toBe(started(running));
  });

  it("takes no task before its start task has succeeded", async () => {
    await start({
      startTask: { commandLine: "/bin/sh -c 'echo ready > $AZ_BATCH_NODE_SHARED_DIR/x'" },
    });
    await fixture.client.task.add("job", {
      id: "task",
      commandLine: "/bin/sh -c 'cat $AZ_BATCH_NODE_SHARED_DIR/x'",
    });
    await fixture.completed("task");
    expect(await fixture.read("task", "stdout.txt")).toBe("ready\n");
  });

  it("whose start task fails says so, and shows its output", async () => {
    await start({ startTask: { commandLine: "/bin/sh -c 'echo broken >&2; exit 7'" } });
    const { id, startTaskInfo } = await fixture.node("starttaskfailed");
    expect(startTaskInfo).toMatchObject({ exitCode: 7, result: "failure" });
    const { readableStreamBody } = await fixture.client.file.getFromComputeNode(
      "pool",
      id,
      "startup/stderr.txt",
    );
    const chunks: Buffer[] = [];
    for await (const chunk of readableStreamBody ?? []) chunks.push(Buffer.from(chunk));
    expect(Buffer.concat(chunks).toString()).toBe("broken\n");
  });

  it("runs as many tasks at once as it has slots", async () => {
    await start({ taskSlotsPerNode: 2 });
    const ids = ["a", "b", "c"];
    await fixture.client.task.addCollection(
      "job",
      ids.map((id) => ({ id, ...waiting })),
    );
    await Promise.all(["a", "b"].map((id) => state(id, "running")));
    expect((await fixture.client.task.get("job", "c")).state).toBe("active");
    await fixture.client.task.terminate("job", "a");
    await state("c", "running");
  });
});

describe("a job", () => {
  it("prepares each node once before its tasks and releases it at its end", async () => {
    await start(
      {},
      {
        jobPreparationTask: {
          commandLine: "/bin/sh -c 'echo prepared >> $AZ_BATCH_NODE_SHARED_DIR/x'",
        },
        jobReleaseTask: {
          commandLine: "/bin/sh -c 'echo released >> $AZ_BATCH_NODE_SHARED_DIR/x'",
        },
      },
    );
    const tasks = ["a", "b"].map((id) => ({ id, commandLine: "/bin/true" }));
    await fixture.client.task.addCollection("job", tasks);
    await Promise.all(["a", "b"].map((id) => fixture.completed(id)));
    await fixture.client.job.terminate("job");
    await fixture.simulator.until("the end", ({ jobs }) => jobs[0]?.["state"] === "completed");
    const [status] = await fixture.client.job.listPreparationAndReleaseTaskStatus("job");
    expect(status).toMatchObject({
      jobPreparationTaskExecutionInfo: { result: "success" },
      jobReleaseTaskExecutionInfo: { result: "success" },
    });
    const { id } = await fixture.node("idle");
    const file = await fixture.client.file.getFromComputeNode("pool", id, "shared/x");
    const chunks: Buffer[] = [];
    for await (const chunk of file.readableStreamBody ?? []) chunks.push(Buffer.from(chunk));
    expect(Buffer.concat(chunks).toString()).toBe("prepared\nreleased\n");
  });

  it("takes its own pool with it", async () => {
    const { id: _, ...pool } = POOL;
    const autoPoolSpecification = {
      autoPoolIdPrefix: "own",
      poolLifetimeOption: "job",
      keepAlive: false,
      pool,
    } as const;
    await fixture.client.job.add({ id: "job", poolInfo: { autoPoolSpecification } });
    await fixture.client.task.add("job", { id: "task", commandLine: "/bin/true" });
    await fixture.completed("task");
    expect(fixture.simulator.inspect().pools).toHaveLength(1);
    await fixture.client.job.patch("job", { onAllTasksComplete: "terminatejob" });
    await fixture.simulator.until("no pool", ({ pools }) => pools.length === 0);
    const { executionInfo } = await fixture.client.job.get("job");
    expect(executionInfo?.terminateReason).toBe("AllTasksComplete");
  });

  it("ends at its wall-clock limit, with nobody there to see to it", async () => {
    await start({}, { constraints: { maxWallClockTime: "P1D" } });
    await fixture.client.task.add("job", { id: "task", ...waiting });
    await state("task", "running");
    fixture.simulator.clock.skip(86_400_001);
    await fixture.completed("task");
    await fixture.simulator.until("the end", ({ jobs }) => jobs[0]?.["state"] === "completed");
    const { executionInfo } = await fixture.client.job.get("job");
    expect(executionInfo?.terminateReason).toBe("MaxWallClockTimeExpiry");
  });

  it("keeps waiting tasks active when it is terminated, and takes no new ones", async () => {
    await start();
    await fixture.client.task.addCollection(
      "job",
      ["a", "b"].map((id) => ({ id, ...waiting })),
    );
    await state("a", "running");
    await fixture.client.job.terminate("job");
    await fixture.completed("a");
    expect((await fixture.client.task.get("job", "b")).state).toBe("active");
    await expect(fixture.client.task.add("job", { id: "c", ...waiting })).rejects.toMatchObject({
      statusCode: 409,
    });
  });
});

describe("a pool", () => {
  it("that is deleted sends its running tasks back to the queue", async () => {
    await start();
    await fixture.client.task.add("job", { id: "task", ...waiting });
    await state("task", "running");
    await fixture.client.pool.deleteMethod("pool");
    await state("task", "active");
    await fixture.simulator.until("no pool", ({ pools }) => pools.length === 0);
  });

  it("follows its formula, and its end of time", async () => {
    const { targetDedicatedNodes: _, ...pool } = POOL;
    const end = new Date(fixture.simulator.clock.now() + 3_600_000).toUTCString();
    await fixture.client.pool.add({
      ...pool,
      enableAutoScale: true,
      autoScaleEvaluationInterval: "PT5M",
      autoScaleFormula: `known = $PendingTasks.GetSamplePercent(180 * TimeInterval_Second);
tasks = known < 70 ? 2 : max(0, avg($PendingTasks.GetSample(180 * TimeInterval_Second)));
$TargetDedicatedNodes = time() > time("${end}") ? 0 : min(3, tasks);
$NodeDeallocationOption = taskcompletion;`,
    });
    const nodes = (wanted: number) =>
      fixture.simulator.until(
        `${wanted} nodes`,
        ({ pools }) =>
          pools[0]?.["allocationState"] === "steady" && pools[0].nodes.length === wanted,
      );
    await nodes(2);
    await fixture.client.job.add(JOB);
    const ids = ["a", "b", "c", "d"];
    await fixture.client.task.addCollection(
      "job",
      ids.map((id) => ({ id, ...waiting })),
    );
    fixture.simulator.clock.skip(300_001);
    await nodes(3);
    fixture.simulator.clock.skip(3_600_000);
    await fixture.client.job.deleteMethod("job");
    fixture.simulator.clock.skip(300_001);
    await nodes(0);
  });

  it("tells what it could not get", async () => {
    fixture.simulator.setAllocation({ dedicated: 1, code: "AllocationFailed" });
    await fixture.client.pool.add({ ...POOL, targetDedicatedNodes: 3 });
    await fixture.simulator.until(
      "steady",
      ({ pools }) => pools[0]?.["allocationState"] === "steady",
    );
    const pool = await fixture.client.pool.get("pool");
    expect(pool.resizeErrors).toMatchObject([{ code: "AllocationFailed" }]);
    expect(pool.currentDedicatedNodes).toBe(1);
    fixture.simulator.setQuotas({ dedicatedCores: 4, pools: 1 });
    fixture.simulator.setAllocation({});
    await fixture.client.pool.resize("pool", { targetDedicatedNodes: 3 });
    await fixture.simulator.until(
      "steady",
      ({ pools }) => pools[0]?.["allocationState"] === "steady",
    );
    expect((await fixture.client.pool.get("pool")).resizeErrors).toMatchObject([
      { code: "AccountCoreQuotaReached" },
    ]);
    await expect(fixture.client.pool.add({ ...POOL, id: "other" })).rejects.toMatchObject({
      body: { code: "PoolQuotaReached" },
    });
  });
});
