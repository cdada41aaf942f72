/**
 * What the Azure backend promises beyond every backend, seen from the service's side; what it says of ends and
 * leaves is in `promises-of-ends.test.ts`. Each promise is broken by a bug of `planted-bugs.ts`.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { BatchServiceModels as Models } from "@azure/batch";
import { BlobServiceClient } from "@azure/storage-blob";
import { describe, expect, it } from "vitest";
import { useServices } from "./account.ts";
import { benchOf, hold, success, timeout } from "./bench.ts";
import { clientFor } from "./client.ts";
import { end, look, signal, submit } from "./drive.ts";
import { keysFor } from "./open-backend.ts";
import type { FaultRule } from "./simulator/faults.ts";

const services = useServices({ keepDisks: true });
const use = benchOf(services);

/** Bodies that were sent to an operation since the last call of `forget`. */
const sent = <Body>(operation: string): readonly Body[] =>
  services.simulator.exchanges
    .slice(from)
    .filter((each) => each.operation === operation)
    .map(({ body }) => JSON.parse(body) as Body);

let from = 0;
const forget = (): void => {
  from = services.simulator.exchanges.length;
};

const busyNode = () =>
  services.simulator.until("a busy node", ({ pools }) => {
    const node = pools.flatMap(({ nodes }) => nodes).find((each) => each["state"] === "running");
    return node === undefined ? undefined : String(node["id"]);
  });

describe("an answer that gets lost", { timeout }, () => {
  it.each<[string, FaultRule]>([
    ["tasks", { operation: "Task_AddCollection", fault: { kind: "lose-answer" } }],
    ["a job", { operation: "Job_Add", fault: { kind: "lose-answer" } }],
    [
      "tasks, as a time-out",
      { operation: "Task_AddCollection", fault: { kind: "time-out-after" } },
    ],
    ["a job, as half a body", { operation: "Job_Add", fault: { kind: "cut-body" } }],
    [
      "nothing, as 503",
      {
        operation: "Task_AddCollection",
        fault: { kind: "refuse", status: 503, code: "ServerBusy" },
      },
    ],
  ])("of adding %s makes nothing twice", async (_, rule) => {
    await use({}, async ({ backend, fixture }) => {
      const job = fixture.job([success("once")]);
      services.simulator.faults.inject(rule);
      const handles = await submit(backend, [job]);
      const { jobs, pools } = services.simulator.inspect();
      expect([jobs.length, pools.length, jobs[0]?.tasks.length]).toEqual([1, 1, 1]);
      expect(await end(backend, handles, job.key)).toMatchObject({ code: 0 });
      expect(fixture.witness(job)).toEqual(["once"]);
    });
  });
});

describe("a service that asks to be left alone", { timeout }, () => {
  it("is not called before the time it names", async () => {
    await use({}, async ({ backend, fixture }) => {
      const job = fixture.job([success("once")]);
      const handles = await submit(backend, [job]);
      forget();
      services.simulator.faults.inject({
        operation: "Task_List",
        fault: { kind: "refuse", status: 429, code: "TooManyRequests", retryAfter: 2 },
      });
      expect(await end(backend, handles, job.key)).toMatchObject({ code: 0 });
      const [refused, next] = services.simulator.exchanges.slice(from);
      expect(refused).toMatchObject({ operation: "Task_List", status: 429 });
      expect((next?.at ?? 0) - (refused?.at ?? 0)).toBeGreaterThanOrEqual(2000);
    });
  });
});

describe("many tasks", { timeout }, () => {
  it("go in collections of a hundred, and are found again in pages of any size", async () => {
    await use({}, async ({ backend, fixture }) => {
      services.simulator.setAllocation({ dedicated: 0 });
      forget();
      const jobs = Array.from({ length: 102 }, () => fixture.job([success("once")]));
      const handles = await submit(backend, jobs);
      const collections = sent<Models.TaskAddCollectionParameter>("Task_AddCollection");
      expect(collections.map(({ value }) => value.length)).toEqual([100, 2]);
      services.simulator.faults.pageSize = 40;
      services.simulator.faults.shuffle(5);
      forget();
      const answer = await backend.observe(handles, signal);
      expect(answer.ok && [...answer.value.values()].map(({ type }) => type)).toEqual(
        jobs.map(() => "queued"),
      );
      const asked = services.simulator.exchanges.slice(from).map(({ operation }) => operation);
      expect(asked.filter((each) => each === "Task_List")).toHaveLength(3);
      expect(asked).not.toContain("Task_Get");
    });
  });
});

describe("a node that is taken away", { timeout }, () => {
  it("is a preemption, and no failure", async () => {
    await use({ priority: "low" }, async ({ backend, fixture }) => {
      const job = fixture.job([hold]);
      const handles = await submit(backend, [job]);
      const node = await busyNode();
      await fixture.until(() => fixture.witness(job).length === 1, "the program");
      expect(await look(backend, handles, job.key)).toMatchObject({ type: "running" });
      services.simulator.preempt(node);
      expect(await end(backend, handles, job.key)).toMatchObject({ cause: "preempted" });
      fixture.release(job);
    });
  });

  it("is noticed when the task runs again before anybody has looked, and it does not run twice", async () => {
    await use({ priority: "low" }, async ({ backend, fixture }) => {
      const job = fixture.job([hold]);
      const handles = await submit(backend, [job]);
      const node = await busyNode();
      await fixture.until(() => fixture.witness(job).length === 1, "the program");
      expect(await look(backend, handles, job.key)).toMatchObject({ type: "running" });
      services.simulator.preempt(node);
      services.simulator.restore(node);
      const refused = ({ jobs }: { jobs: readonly { readonly tasks: readonly object[] }[] }) =>
        jobs[0]?.tasks.some((task) => "state" in task && task.state === "completed");
      await services.simulator.until("the refusal of the second try", refused);
      const seen = await end(backend, handles, job.key);
      expect(seen.cause).toBe("preempted");
      expect(fixture.witness(job)).toEqual(["hold"]);
      fixture.release(job);
    });
  });
});

describe("a node that cannot fetch the code", { timeout }, () => {
  it("has begun nothing, and the next attempt finds it sent again", async () => {
    await use({}, async ({ backend, fixture }) => {
      const { simulator, azurite } = services;
      simulator.setAllocation({ dedicated: 0 });
      const job = fixture.job([success("once")]);
      const handles = await submit(backend, [job]);
      const pool = await simulator.until("a steady pool", ({ pools }) =>
        pools.find((each) => each["allocationState"] === "steady"),
      );
      const storage = BlobServiceClient.fromConnectionString(azurite.connectionString);
      for await (const { name } of storage.listContainers())
        for await (const blob of storage.getContainerClient(name).listBlobsFlat())
          if (blob.name.startsWith("objects/"))
            await storage.getContainerClient(name).deleteBlob(blob.name);
      simulator.setAllocation({});
      await clientFor(simulator).pool.resize(String(pool["id"]), { targetDedicatedNodes: 1 });
      expect(await end(backend, handles, job.key)).toMatchObject({ cause: "not-begun" });
      expect(fixture.witness(job)).toEqual([]);
      const next = fixture.job([success("again")]);
      expect(await end(backend, await submit(backend, [next]), next.key)).toMatchObject({
        code: 0,
      });
    });
  });
});

describe("a list that is old", { timeout }, () => {
  it("does not take the node from a task that runs", async () => {
    await use({}, async ({ backend, fixture }) => {
      const { simulator } = services;
      simulator.setAllocation({ dedicated: 0 });
      const job = fixture.job([hold]);
      const handles = await submit(backend, [job]);
      simulator.faults.staleMs = 3_600_000;
      expect(await look(backend, handles, job.key)).toMatchObject({ type: "queued" });
      simulator.faults.staleMs = 0;
      simulator.setAllocation({});
      const pool = await simulator.until("a steady pool", ({ pools }) =>
        pools.find((each) => each["allocationState"] === "steady"),
      );
      await clientFor(simulator).pool.resize(String(pool["id"]), { targetDedicatedNodes: 1 });
      await busyNode();
      await fixture.until(() => fixture.witness(job).length === 1, "the program");
      expect(await look(backend, handles, job.key)).toMatchObject({ type: "running" });
      simulator.faults.staleMs = 3_600_000;
      expect(await look(backend, handles, job.key)).toMatchObject({ type: "running" });
      simulator.faults.staleMs = 0;
      fixture.release(job);
      expect(await end(backend, handles, job.key)).toMatchObject({ code: 0 });
    });
  });
});

describe("what flow leaves to the service", { timeout }, () => {
  it("ends by itself: the job after its time, its pool with it, the nodes by the formula", async () => {
    // Longer than what other tests let pass on this account's clock, which flow's own does not follow.
    await use({ scale: "auto", max_time: "12h" }, async ({ backend, fixture }) => {
      forget();
      const job = fixture.job([hold]);
      const handles = await submit(backend, [job]);
      const [body] = sent<Models.JobAddParameter>("Job_Add");
      const auto = body?.poolInfo.autoPoolSpecification;
      expect(auto).toMatchObject({ poolLifetimeOption: "job", keepAlive: false });
      expect(body?.constraints?.maxWallClockTime).toBe("PT43200S");
      const marks = [body?.metadata, auto?.pool?.metadata].map((each) =>
        each?.map(({ name }) => name),
      );
      const ours = ["flow.project", "flow.user", "flow.expires"];
      expect(marks).toEqual([ours, ours]);
      const formula = auto?.pool?.autoScaleFormula ?? "";
      expect(formula).toMatch(/time\(\) > time\("[^"]+"\) \? 0/);
      expect(formula).toContain("min(3, ");
      const [tasks] = sent<Models.TaskAddCollectionParameter>("Task_AddCollection");
      expect(tasks?.value[0]?.constraints).toMatchObject({
        maxTaskRetryCount: 0,
        maxWallClockTime: "PT43200S",
      });
      // The formula may have been evaluated before the task was there.
      services.simulator.clock.skip(300_001);
      await busyNode();
      services.simulator.clock.skip(43_200_001);
      await services.simulator.until("no pool", ({ pools }) => pools.length === 0);
      expect(await end(backend, handles, job.key)).not.toMatchObject({ code: 0 });
      fixture.release(job);
    });
  });

  it("has links that allow one thing each and end soon", async () => {
    await use({ max_time: "2h" }, async ({ backend, fixture }) => {
      forget();
      const job = fixture.job([success("once")]);
      const handles = await submit(backend, [job]);
      const [tasks] = sent<Models.TaskAddCollectionParameter>("Task_AddCollection");
      const task = tasks?.value[0];
      const read = (task?.resourceFiles ?? []).map(
        ({ httpUrl = "" }) => new URL(httpUrl).searchParams,
      );
      const write = new URL(task?.outputFiles?.[0]?.destination.container?.containerUrl ?? "")
        .searchParams;
      expect(read.map((link) => [link.get("sp"), link.get("sr")])).toEqual(
        read.map(() => ["r", "b"]),
      );
      expect([write.get("sp"), write.get("sr")]).toEqual(["cw", "c"]);
      for (const link of [...read, write])
        expect(Date.parse(link.get("se") ?? "") - Date.now()).toBeLessThan(4 * 3_600_000);
      await end(backend, handles, job.key);
    });
  });

  it("holds no secret", async () => {
    const canary = "canary-0815";
    process.env["CANARY"] = canary;
    await use({}, async ({ backend, fixture }) => {
      const job = fixture.job([{ name: "show", does: "show", variables: ["CANARY"] }], {
        secrets: ["CANARY"],
      });
      const handles = await submit(backend, [job]);
      expect(await end(backend, handles, job.key)).toMatchObject({ code: 0 });
      expect(readFileSync(job.paths.stdout, "utf8")).toBe(`CANARY=${canary}\n`);
      const secrets = [canary, ...Object.values(keysFor(services))];
      const told = services.simulator.exchanges.filter((each) =>
        secrets.some((secret) => JSON.stringify({ ...each, answer: "" }).includes(secret)),
      );
      expect(told).toEqual([]);
    });
    delete process.env["CANARY"];
    const found = filesBelow(services.simulator.directory).filter(
      (path) =>
        !/\/stdout(\.txt)?$|tar/.test(path) && readFileSync(path, "latin1").includes(canary),
    );
    expect(found).toEqual([]);
  });
});

const filesBelow = (folder: string): readonly string[] =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

describe("a newer version of the interface", { timeout }, () => {
  it("takes what the client sends", async () => {
    await use({ api_version: "2023-11-01.18.0" }, async ({ backend, fixture }) => {
      forget();
      const job = fixture.job([success("once")]);
      const handles = await submit(backend, [job]);
      expect(await end(backend, handles, job.key)).toMatchObject({ code: 0 });
      const targets = services.simulator.exchanges.slice(from).map(({ target }) => target);
      expect(targets.filter((each) => !each.includes("api-version=2023-11-01.18.0"))).toEqual([]);
    });
  });
});
