/** What the simulated account says on the wire: refusals, lists, faults; and that a wrong request is never let through. */
import { describe, expect, it } from "vitest";
import { clientFor } from "./client.ts";
import { JOB, POOL, useSimulator } from "./fixture.ts";

/** Nothing that takes time happens here. */
const fixture = useSimulator({ delayMs: 3_600_000 });

/** Sends a signed request whose body the official client would not let through. */
async function send(method: "POST" | "GET", path: string, body?: unknown) {
  const request = {
    url: `${fixture.simulator.endpoint}${path}?api-version=2022-10-01.16.0`,
    method,
    headers: { "content-type": "application/json; odata=minimalmetadata" },
    ...(body === undefined ? {} : { body }),
  } as const;
  return await fixture.client.sendRequest(request);
}

describe("a request", () => {
  it("is refused unless it is signed with the account's key", async () => {
    const accountKey = Buffer.from("another").toString("base64");
    const stranger = clientFor({ ...fixture.simulator, accountKey });
    await expect(stranger.pool.list()).rejects.toMatchObject({
      statusCode: 403,
      body: { code: "AuthenticationFailed" },
    });
  });

  it("is refused with another version", async () => {
    fixture.client.apiVersion = "2015-01-01.1.0";
    await expect(fixture.client.pool.list()).rejects.toMatchObject({
      body: { code: "UnsupportedRequestVersion" },
    });
  });

  it.each([
    [
      "an unknown property",
      { ...POOL, colour: "red" },
      "`colour` is not a property of PoolAddParameter",
    ],
    ["a missing property", { id: "pool" }, "`vmSize` is missing"],
    [
      "a wrong type",
      { ...POOL, targetDedicatedNodes: "1" },
      "`targetDedicatedNodes` is not a number",
    ],
    [
      "an enumeration in another case",
      { ...POOL, taskSchedulingPolicy: { nodeFillType: "Spread" } },
      "`taskSchedulingPolicy.nodeFillType` is not one of spread, pack",
    ],
    [
      "a duration that is none",
      { ...POOL, resizeTimeout: "15 min" },
      "`resizeTimeout` is not a duration",
    ],
  ])("is refused and noted with %s", async (_, body, reason) => {
    const { status } = await send("POST", "/pools", body);
    expect(status).toBe(400);
    expect(fixture.simulator.problems.splice(0).join()).toContain(reason);
  });

  it("is refused and noted where the API has no such operation", async () => {
    expect((await send("POST", "/pools/pool/explode")).status).toBe(400);
    expect(fixture.simulator.problems.splice(0)).toEqual([
      "POST /pools/pool/explode: no such operation",
    ]);
  });

  it("fails the closing of the simulator when it broke the specification", async () => {
    const { startBatchSimulator } = await import("./simulator/index.ts");
    const simulator = await startBatchSimulator();
    simulator.problems.push("Pool_Add: something");
    await expect(simulator.close()).rejects.toThrow(
      "against the specification:\nPool_Add: something",
    );
  });

  it("is refused with ids that the service would not take", async () => {
    for (const id of ["a.b", "x".repeat(65), "ä"])
      await expect(fixture.client.job.add({ ...JOB, id })).rejects.toMatchObject({
        body: { code: "InvalidPropertyValue" },
      });
    await fixture.client.pool.add(POOL);
    await fixture.client.job.add(JOB);
    await expect(fixture.client.job.add({ ...JOB, id: "JOB" })).rejects.toMatchObject({
      statusCode: 409,
      body: { code: "JobExists" },
    });
  });

  it("meets the state it is not meant for", async () => {
    await fixture.client.pool.add({ ...POOL, targetDedicatedNodes: 0 });
    await expect(
      fixture.client.pool.resize("pool", { targetDedicatedNodes: 1 }),
    ).rejects.toMatchObject({ statusCode: 409, body: { code: "PoolBeingResized" } });
    await fixture.client.pool.deleteMethod("pool");
    expect(await fixture.client.pool.get("pool")).toMatchObject({ state: "deleting" });
    await expect(fixture.client.pool.deleteMethod("pool")).rejects.toMatchObject({
      statusCode: 409,
      body: { code: "PoolBeingDeleted" },
    });
    await expect(fixture.client.task.get("job", "task")).rejects.toMatchObject({
      statusCode: 404,
      body: { code: "JobNotFound" },
    });
    await fixture.client.job.add(JOB);
    const containerSettings = { imageName: "image" };
    await expect(
      fixture.client.task.add("job", { id: "task", commandLine: "x", containerSettings }),
    ).rejects.toMatchObject({ body: { code: "InvalidPropertyValue" } });
    await expect(
      fixture.client.task.add("job", {
        id: "task",
        commandLine: "x",
        dependsOn: { taskIds: ["y"] },
      }),
    ).rejects.toMatchObject({ body: { code: "TaskDependenciesNotSpecifiedOnJob" } });
    await expect(
      fixture.client.pool.patch("pool", {}, { poolPatchOptions: { ifMatch: "0x8D" } }),
    ).rejects.toMatchObject({ statusCode: 412 });
  });
});

describe("a list", () => {
  const ids = Array.from({ length: 7 }, (_, index) => `t${index}`);

  async function addTasks(): Promise<void> {
    await fixture.client.pool.add({ ...POOL, targetDedicatedNodes: 0 });
    await fixture.client.job.add(JOB);
    const tasks = ids.map((id) => ({ id, commandLine: "/bin/true" }));
    await fixture.client.task.addCollection("job", tasks);
  }

  async function all(options: object = {}): Promise<readonly (string | undefined)[]> {
    let page = await fixture.client.task.list("job", { taskListOptions: options });
    const found = [...page];
    while (page.odatanextLink !== undefined) {
      page = await fixture.client.task.listNext(page.odatanextLink);
      found.push(...page);
    }
    return found.map(({ id }) => id);
  }

  it("comes in pages that link on", async () => {
    await addTasks();
    expect(await all({ maxResults: 3 })).toEqual(ids);
    fixture.simulator.faults.pageSize = 2;
    expect(await all()).toEqual(ids);
    expect(await fixture.client.task.list("job")).toHaveLength(2);
  });

  it("is filtered and cut to the selected properties", async () => {
    await addTasks();
    expect(await all({ filter: "startswith(id, 't1') or id eq 't4'" })).toEqual(["t1", "t4"]);
    expect(await all({ filter: "state eq 'completed'" })).toEqual([]);
    const since = "stateTransitionTime ge datetime'2000-01-01T00:00:00Z' and state eq 'active'";
    expect(await all({ filter: since })).toEqual(ids);
    const [first] = await fixture.client.task.list("job", {
      taskListOptions: { select: "id,state" },
    });
    expect(first).toEqual({ id: "t0", state: "active" });
    await expect(all({ filter: "state is active" })).rejects.toMatchObject({
      body: { code: "InvalidQueryParameterValue" },
    });
  });

  it("can be stale and shuffled", async () => {
    await addTasks();
    fixture.simulator.faults.staleMs = 60_000;
    await all();
    await fixture.client.task.deleteMethod("job", "t3");
    expect(await all()).toEqual(ids);
    fixture.simulator.clock.skip(60_001);
    const rest = ids.filter((id) => id !== "t3");
    expect(await all()).toEqual(rest);
    fixture.simulator.faults.shuffle(7);
    const shuffled = await all();
    expect(shuffled).not.toEqual(rest);
    expect(new Set(shuffled)).toEqual(new Set(rest));
  });
});

describe("a fault", () => {
  it("answers instead of an effect, with and without Retry-After", async () => {
    const { faults, inspect } = fixture.simulator;
    faults.inject({
      operation: "Pool_Add",
      fault: { kind: "refuse", status: 429, code: "TooManyRequests", retryAfter: 7 },
    });
    const refused = await fixture.client.pool.add(POOL).catch((error: unknown) => error);
    expect(refused).toMatchObject({ statusCode: 429, body: { code: "TooManyRequests" } });
    const { response } = refused as { response: { headers: { get(name: string): string } } };
    expect(response.headers.get("retry-after")).toBe("7");
    expect(inspect().pools).toEqual([]);
    faults.inject({ fault: { kind: "disconnect" } });
    await expect(fixture.client.pool.add(POOL)).rejects.toThrow();
    expect(inspect().pools).toEqual([]);
  });

  it.each(["lose-answer", "time-out-after", "cut-body"] as const)(
    "can come after the effect: %s",
    async (kind) => {
      await fixture.client.pool.add(POOL);
      await fixture.client.job.add(JOB);
      fixture.simulator.faults.inject({ operation: "Task_AddCollection", fault: { kind } });
      const tasks = [{ id: "task", commandLine: "/bin/true" }];
      await expect(fixture.client.task.addCollection("job", tasks)).rejects.toThrow();
      const { value = [] } = await fixture.client.task.addCollection("job", tasks);
      expect(value).toMatchObject([{ status: "ClientError", error: { code: "TaskExists" } }]);
    },
  );

  it("is the same for the same seed", async () => {
    const draw = async (): Promise<readonly string[]> => {
      fixture.simulator.faults.storm(42, 0.5);
      const outcomes: string[] = [];
      for (let times = 0; times < 20; times++) {
        const before = fixture.simulator.exchanges.length;
        await fixture.client.pool.list().catch(() => undefined);
        outcomes.push(String(fixture.simulator.exchanges[before]?.fault));
      }
      fixture.simulator.faults.calm();
      return outcomes;
    };
    const first = await draw();
    expect(await draw()).toEqual(first);
    expect(new Set(first).size).toBeGreaterThan(2);
  });
});
