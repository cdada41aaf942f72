/**
 * What the Azure backend says when something is wrong, and what it leaves when something is over. Each promise is
 * broken by a bug of `planted-bugs.ts`.
 */
import { BlobServiceClient } from "@azure/storage-blob";
import { nodeClock, type Observation, silentLog } from "@flow/core";
import { shellFixture } from "@flow/core/testing";
import { describe, expect, it } from "vitest";
import { useServices } from "./account.ts";
import { benchOf, hold, success, timeout } from "./bench.ts";
import { clientFor } from "./client.ts";
import { end, look, submit } from "./drive.ts";
import { captureAll, keysFor, openBackend } from "./open-backend.ts";

const services = useServices();
const use = benchOf(services);

describe("what is wrong", { timeout }, () => {
  it("with the nodes is told while a task waits", async () => {
    services.simulator.setAllocation({ dedicated: 0, code: "AllocationFailed" });
    await use({}, async ({ backend, fixture }) => {
      const job = fixture.job([success("once")]);
      const handles = await submit(backend, [job]);
      await services.simulator.until(
        "steady",
        ({ pools }) => pools[0]?.["allocationState"] === "steady",
      );
      let seen: Observation | undefined;
      await fixture.until(async () => {
        seen = await look(backend, handles, job.key);
        return seen.type === "queued" && seen.why !== undefined;
      }, "a reason");
      expect(seen).toMatchObject({ why: expect.stringMatching(/^no nodes: /) });
    });
  });

  it("with its time is told when the service had to end it", async () => {
    await use({ max_time: "2h" }, async ({ backend, fixture }) => {
      const job = fixture.job([hold], { timeoutMs: 1_000_000 });
      const handles = await submit(backend, [job]);
      await fixture.until(() => fixture.witness(job).length === 1, "the program");
      expect(await look(backend, handles, job.key)).toMatchObject({ type: "running" });
      services.simulator.clock.skip(2_000_000);
      expect(await end(backend, handles, job.key)).toMatchObject({ cause: "time-limit" });
      fixture.release(job);
    });
  });

  it("with its links, which have expired, is said, and nothing of it has run", async () => {
    // A day and an hour is how long they last.
    const clock = { ...nodeClock, wall: () => nodeClock.wall() - 30 * 3_600_000 };
    const env = { ...process.env, ...keysFor(services) };
    const ports = { clock, log: silentLog, env };
    const fixture = await shellFixture((root) =>
      openBackend(services, root, {}, { ...captureAll(root), ports }),
    );
    const backend = await fixture.open();
    const job = fixture.job([success("never")]);
    const handles = await submit(backend, [job]);
    expect(await end(backend, handles, job.key)).toMatchObject({
      cause: "not-begun",
      detail: expect.stringMatching(
        /\(BlobAccessDenied\)\. The node may not read a file: its link has expired or the storage account refuses it\. \(BlobUrl: /,
      ),
    });
    expect(fixture.witness(job)).toEqual([]);
    await backend[Symbol.asyncDispose]();
    await fixture[Symbol.asyncDispose]();
  });

  it("with the job's time is told to a task that ran", async () => {
    await use({ max_time: "2h" }, async ({ backend, fixture }) => {
      const job = fixture.job([hold]);
      const handles = await submit(backend, [job]);
      await fixture.until(() => fixture.witness(job).length === 1, "the program");
      expect(await look(backend, handles, job.key)).toMatchObject({ type: "running" });
      const [id] = services.simulator.inspect().jobs.map((each) => String(each["id"]));
      await clientFor(services.simulator).job.terminate(id ?? "", {
        jobTerminateOptions: {},
        terminateReason: "MaxWallClockTimeExpiry",
      });
      expect(await end(backend, handles, job.key)).toMatchObject({
        cause: "time-limit",
        detail:
          "its job in Azure Batch reached its time and ended; raise `max_time` or `max_node_hours`",
      });
      fixture.release(job);
    });
  });

  it("with the job is told to a task that never began", async () => {
    await use({ max_time: "2h" }, async ({ backend, fixture }) => {
      services.simulator.setAllocation({ dedicated: 0 });
      const job = fixture.job([success("never")]);
      const handles = await submit(backend, [job]);
      services.simulator.clock.skip(7_200_001);
      await services.simulator.until("its end", ({ jobs }) => jobs[0]?.["state"] === "completed");
      expect(await end(backend, handles, job.key)).toMatchObject({
        cause: "time-limit",
        detail:
          "its job in Azure Batch ended before it could begin; raise `max_time` or `max_node_hours`",
      });
      expect(fixture.witness(job)).toEqual([]);
    });
  });

  it("with the job must leave a task more than the grace of its stop", async () => {
    await use({ max_time: "30s" }, async ({ backend, fixture }) => {
      const job = fixture.job([success("a")], { stop: { signal: "SIGTERM", graceMs: 60_000 } });
      await expect(submit(backend, [job])).rejects.toThrow(
        "leaves it 30s, which is no longer than the grace of its stop, 1m: it would be stopped at once. Raise",
      );
    });
  });

  it("with a program comes through, and it is not tried again by the service", async () => {
    await use({}, async ({ backend, fixture }) => {
      const job = fixture.job([{ name: "bad", does: "exit", code: 3 }]);
      const handles = await submit(backend, [job]);
      expect(await end(backend, handles, job.key)).toMatchObject({ code: 3 });
      expect(fixture.witness(job)).toEqual(["bad"]);
    });
  });
});

describe("what is over", { timeout }, () => {
  it("leaves nothing in the account nor of the attempts in storage", async () => {
    const fixture = await shellFixture((root) => openBackend(services, root, {}, captureAll(root)));
    const backend = await fixture.open();
    const job = fixture.job([success("once")]);
    const handles = await submit(backend, [job]);
    await end(backend, handles, job.key);
    await backend[Symbol.asyncDispose]();
    await services.simulator.until(
      "an empty account",
      ({ jobs, pools }) => jobs.length + pools.length === 0,
    );
    const blobs = BlobServiceClient.fromConnectionString(services.azurite.connectionString);
    const left: string[] = [];
    for await (const { name } of blobs.listContainers())
      for await (const blob of blobs
        .getContainerClient(name)
        .listBlobsFlat({ prefix: "attempts/" }))
        if (blob.name.includes(job.key)) left.push(blob.name);
    expect(left).toEqual([]);
    await fixture[Symbol.asyncDispose]();
  });

  it("is left alone when it belongs to somebody else by now", async () => {
    const client = clientFor(services.simulator);
    await use({}, async ({ backend, fixture }) => {
      const job = fixture.job([success("once")]);
      const handles = await submit(backend, [job]);
      await end(backend, handles, job.key);
      const id = String(services.simulator.inspect().jobs[0]?.["id"]);
      await client.job.patch(id, { metadata: [{ name: "flow.project", value: "another" }] });
      await backend[Symbol.asyncDispose]();
      expect(services.simulator.inspect().jobs.map((each) => [each["id"], each["state"]])).toEqual([
        [id, "active"],
      ]);
    });
  });
});
