/**
 * The simulator beside 109 recorded answers of the real service: the same operations are called, and status,
 * names of headers, names and types of properties, and error codes are compared. What is not simulated is
 * counted, so that nothing is left out unseen.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { clientFor } from "./client.ts";
import { officialSuite, POOL } from "./fixture.ts";
import { type BatchSimulator, startBatchSimulator } from "./simulator/index.ts";
import { findOperation } from "./simulator/operations.ts";

interface Recorded {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Operations that the simulator leaves out: nothing of flow uses them. */
const LEFT_OUT =
  /^\/(certificates|jobschedules|applications|lifetime|poolusagemetrics)|\/(users|rdp|reimage|uploadbatchservicelogs)/;

/** Refusals that depend on a network or an image of the recorder's subscription. */
const isOfSubscription = ({ method, path, status }: Recorded): boolean =>
  method === "POST" && path === "/pools" && (status === 400 || status === 403);

officialSuite("the simulator beside the recorded service", (folder) => {
  const file = join(folder, "recordings/batch-service-2020-03-01.11.0.json");
  const { interactions } = JSON.parse(readFileSync(file, "utf8")) as {
    interactions: readonly Recorded[];
  };
  const left = interactions.filter(({ path }) => LEFT_OUT.test(path));
  const subscription = interactions.filter(isOfSubscription);
  const compared = interactions.filter(
    (each) => !left.includes(each) && !subscription.includes(each),
  );
  let simulator: BatchSimulator;

  beforeAll(async () => {
    simulator = await startBatchSimulator({
      openApi: folder,
      delayMs: { deletePool: 3_600_000 },
    });
    await session(simulator);
  });

  afterAll(async () => {
    await simulator.close();
  });

  it("compares every recorded interaction but those of what is left out", () => {
    expect(interactions).toHaveLength(109);
    expect({ left: left.length, subscription: subscription.length }).toEqual({
      left: 27,
      subscription: 2,
    });
  });

  it.each(
    compared.map((each, index) => [index, each.method, each.path, each.status, each] as const),
  )("%d: %s %s answers %d", (_index, method, path, status, recorded) => {
    const operation = findOperation(method, path)?.operation.id;
    const own = simulator.exchanges.filter(
      (each) => each.operation === operation && each.status === status,
    );
    expect(own, `no answer ${status} of ${operation ?? path} in the session`).not.toHaveLength(0);
    const complaints = own.map((each) => compare(recorded, each));
    const best = complaints.sort((a, b) => a.length - b.length)[0];
    expect(best).toEqual([]);
  });
});

interface Own {
  readonly answer?: string;
  readonly answerHeaders?: Readonly<Record<string, string>>;
}

/** Set by the transport, not by the service. */
const TRANSPORT = new Set(["connection", "content-length", "transfer-encoding", "keep-alive"]);

/** Kinds of nodes and certificates that the service has given up. */
const RETIRED = /cloudServiceConfiguration|certificateReferences/;

/** Only on Linux, which the recorded nodes were not. */
const LINUX = new Set(["ocp-batch-file-mode"]);

function compare(recorded: Recorded, own: Own): readonly string[] {
  const names = (headers: Readonly<Record<string, string>>): readonly string[] =>
    Object.keys(headers).filter((name) => !TRANSPORT.has(name) && !LINUX.has(name));
  const ours = new Set(names(own.answerHeaders ?? {}));
  const theirs = new Set(names(recorded.headers));
  const headers = [
    ...[...theirs].filter((name) => !ours.has(name)).map((name) => `no header ${name}`),
    ...[...ours].filter((name) => !theirs.has(name)).map((name) => `header ${name} is ours alone`),
  ];
  if (!/json/.test(recorded.headers["content-type"] ?? "")) return headers;
  const theirShape = shape(JSON.parse(recorded.body));
  const ourShape = shape(JSON.parse(own.answer ?? "null"));
  const properties = [...theirShape].flatMap(([path, type]) => {
    if (RETIRED.test(path)) return [];
    const found = ourShape.get(translate(path));
    if (found === undefined) return [`no property ${path}`];
    return found === type ? [] : [`${path} is ${found}, not ${type}`];
  });
  return [...headers, ...properties];
}

/** What the API has renamed, or moved, since the recordings. */
const translate = (path: string): string =>
  path
    .replace("maxTasksPerNode", "taskSlotsPerNode")
    .replace(/^(active|running|completed|succeeded|failed)$/, "taskCounts.$1");

/** Paths of all properties with the types of their values; entries of lists are put together. */
function shape(value: unknown): Map<string, string> {
  const found = new Map<string, string>();
  const visit = (each: unknown, path: string): void => {
    if (Array.isArray(each)) for (const entry of each) visit(entry, `${path}[]`);
    else if (typeof each === "object" && each !== null)
      for (const [name, inner] of Object.entries(each))
        visit(inner, path === "" ? name : `${path}.${name}`);
    else found.set(path, path === "code" || path === "error.code" ? String(each) : typeof each);
  };
  visit(value, "");
  return found;
}

/** Calls the recorded operations, in states like the recorded ones. */
async function session(simulator: BatchSimulator): Promise<void> {
  const client = clientFor(simulator);
  const steady = async (): Promise<unknown> =>
    await simulator.until("steady pools with idle nodes", ({ pools }) =>
      pools.every(
        ({ allocationState, nodes, targetDedicatedNodes }) =>
          allocationState === "steady" &&
          nodes.length === targetDedicatedNodes &&
          nodes.every((node) => node["state"] === "idle"),
      ),
    );
  const startTask = {
    commandLine: "/bin/sh -c 'echo hello > hello.txt'",
    userIdentity: { autoUser: { scope: "pool", elevationLevel: "nonadmin" } },
  } as const;
  const inboundNATPool = {
    name: "test",
    protocol: "udp" as const,
    backendPort: 64444,
    frontendPortRangeStart: 60000,
    frontendPortRangeEnd: 61000,
  };
  await client.pool.add({
    ...POOL,
    id: "net",
    virtualMachineConfiguration: {
      ...POOL.virtualMachineConfiguration,
      imageReference: { ...POOL.virtualMachineConfiguration.imageReference, version: "latest" },
    },
    networkConfiguration: {
      dynamicVNetAssignmentScope: "none",
      endpointConfiguration: { inboundNATPools: [inboundNATPool] },
    },
  });
  await client.pool.add({
    ...POOL,
    id: "p1",
    targetDedicatedNodes: 4,
    startTask,
    metadata: [{ name: "a", value: "b" }],
    userAccounts: [
      {
        name: "someone",
        password: "a password that never comes back",
        elevationLevel: "admin",
        windowsUserConfiguration: { loginMode: "interactive" },
      },
    ],
  });
  await client.pool.add({
    ...POOL,
    id: "disk",
    targetDedicatedNodes: 0,
    virtualMachineConfiguration: {
      ...POOL.virtualMachineConfiguration,
      imageReference: { ...POOL.virtualMachineConfiguration.imageReference, version: "latest" },
      dataDisks: [{ lun: 1, diskSizeGB: 50, caching: "none", storageAccountType: "standard_lrs" }],
    },
  });
  await client.pool.get("disk");
  await client.pool.exists("p1");
  await steady();
  await client.account.listPoolNodeCounts();
  await client.account.listSupportedImages();
  const some = await client.pool.list({ poolListOptions: { maxResults: 1 } });
  await client.pool.listNext(some.odatanextLink ?? "");
  await client.pool.list();
  await client.pool.list({
    poolListOptions: { filter: "startswith(id,'p1')", select: "id,state" },
  });
  await client.pool.get("p1");
  await client.pool.get("p1", { poolGetOptions: { select: "id,state" } });
  const wrong = `${simulator.endpoint}/pools?api-version=2022-10-01.16.0&maxresults=-5`;
  await client.sendRequest({ url: wrong, method: "GET" });
  simulator.problems.length = 0; // That one was wrong on purpose.
  await nodes(client, steady);
  await jobs(simulator, client);
  await pools(client, steady);
}

type Client = ReturnType<typeof clientFor>;

async function nodes(client: Client, steady: () => Promise<unknown>): Promise<void> {
  await client.computeNode.list("net");
  const [first, second, third] = await client.computeNode.list("p1");
  const id = first?.id ?? "";
  await client.computeNode.get("p1", id);
  await client.file.listFromComputeNode("p1", id);
  await client.file.getPropertiesFromComputeNode("p1", id, "startup/wd/hello.txt");
  const { readableStreamBody } = await client.file.getFromComputeNode(
    "p1",
    id,
    "startup/wd/hello.txt",
  );
  readableStreamBody?.resume();
  await client.file.deleteFromComputeNode("p1", id, "startup/wd/hello.txt");
  await client.computeNode.disableScheduling("p1", id);
  await client.computeNode.enableScheduling("p1", id);
  await client.computeNode.reboot("p1", second?.id ?? "");
  await client.pool.removeNodes("p1", { nodeList: [third?.id ?? ""] });
  await steady();
}

async function jobs(simulator: BatchSimulator, client: Client): Promise<void> {
  const constraints = { maxTaskRetryCount: 3 };
  await client.job.add({ id: "job", poolInfo: { poolId: "p1" }, priority: 500, constraints });
  await client.job.add({ id: "other", poolInfo: { poolId: "p1" } });
  await client.job.get("job");
  await client.job.list();
  await client.job.listPreparationAndReleaseTaskStatus("job").catch(() => undefined);
  await client.task.add("job", {
    id: "failing",
    commandLine: "/bin/sh -c 'exit 2'",
    userIdentity: { userName: "someone" },
  });
  await client.task.add("job", { id: "hello", commandLine: "/bin/echo hello" });
  await client.task.add("job", {
    id: "packages",
    commandLine: "/bin/sleep 600",
    applicationPackageReferences: [{ applicationId: "app" }],
    authenticationTokenSettings: { access: ["job"] },
    exitConditions: {
      exitCodes: [{ code: 1, exitOptions: { jobAction: "none", dependencyAction: "block" } }],
      default: { jobAction: "terminate", dependencyAction: "satisfy" },
    },
  });
  await simulator.until("two ends", ({ jobs: [job] }) =>
    job?.tasks.slice(0, 2).every(({ state }) => state === "completed"),
  );
  for (const id of ["failing", "hello", "packages"]) await client.task.get("job", id);
  await client.task.list("job");
  await client.task.listSubtasks("job", "hello");
  await client.job.getTaskCounts("job");
  await client.file.listFromTask("job", "hello");
  await client.file.getPropertiesFromTask("job", "hello", "stderr.txt");
  const { readableStreamBody } = await client.file.getFromTask("job", "hello", "stdout.txt");
  readableStreamBody?.resume();
  await client.file.deleteFromTask("job", "hello", "stderr.txt");
  await client.task.reactivate("job", "failing");
  await client.task.get("job", "failing");
  await client.task.list("job");
  await client.task.update("job", "packages", { constraints });
  await client.task.terminate("job", "packages");
  await client.task.deleteMethod("job", "packages");
  await client.job.patch("job", { priority: 500 });
  await client.job.update("job", { priority: 500, poolInfo: { poolId: "p1" } });
  await client.job.disable("other", "requeue");
  await client.job.enable("other");
  await client.job.terminate("other");
  await client.job.deleteMethod("other");
}

async function pools(client: Client, steady: () => Promise<unknown>): Promise<void> {
  await client.pool.patch("p1", { metadata: [{ name: "a", value: "b" }] });
  await client.pool.updateProperties("p1", {
    certificateReferences: [],
    applicationPackageReferences: [],
    metadata: [],
  });
  await client.pool.enableAutoScale("p1", { autoScaleFormula: "$TargetDedicatedNodes=2" });
  await client.pool.evaluateAutoScale("p1", "$TargetDedicatedNodes=3");
  await client.pool.evaluateAutoScale("p1", "something_useless");
  await client.pool.disableAutoScale("p1");
  await steady();
  await client.pool.resize("p1", { targetDedicatedNodes: 3 });
  await client.pool.stopResize("p1");
  await client.pool.deleteMethod("disk");
  await client.pool.deleteMethod("p1");
  await client.pool.deleteMethod("p1").catch(() => undefined);
}
