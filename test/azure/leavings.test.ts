/**
 * flow killed with SIGKILL at a request and never run again: `flow clean` or `flow azure gc` empties the
 * account all the same. A few points are tried always; `FLOW_TEST_FAULTS=1` takes every request, once as one
 * that is still done and once as one that gets lost.
 */
import { rmSync } from "node:fs";
import { BlobServiceClient } from "@azure/storage-blob";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { type FlowProject, flowTest } from "../rig/flow-test.ts";
import { useServices } from "./account.ts";
import { clientFor } from "./client.ts";
import { type Gate, openGate } from "./gate.ts";
import { keysFor, optionsFor } from "./open-backend.ts";

const services = useServices();
const isThorough = process.env["FLOW_TEST_FAULTS"] === "1";

/** Where flow is killed. */
interface Point {
  /** Method and path, without ids; any request if absent. */
  readonly request?: string;
  /** Such requests that come first. */
  readonly after?: number;
  /** It never reaches the service. */
  readonly isLost: boolean;
}

/** What the options name, and what removes it. */
interface Setting {
  readonly pool: "ephemeral" | "shared";
  /** Absent: one of the project's own. */
  readonly container?: string;
  readonly verb: readonly string[];
}

const CLEAN = ["clean", "--all", "-y"];
const OWN: Setting = { pool: "ephemeral", verb: CLEAN };
const SHARED: Setting = { pool: "shared", verb: ["azure", "gc"] };
const FOREIGN: Setting = { pool: "shared", container: "everybodys", verb: CLEAN };

let gates: { readonly batch: Gate; readonly storage: Gate } | undefined;
let letThrough: (request: string) => boolean = () => true;

beforeAll(async () => {
  const ask = (request: string): boolean => letThrough(request);
  const batch = await openGate(services.simulator.endpoint, ask);
  const storage = await openGate(services.azurite.blobEndpoint, ask);
  gates = { batch, storage };
});

afterAll(async () => {
  await gates?.batch.close();
  await gates?.storage.close();
});

function bring(project: FlowProject, { pool, container }: Setting): void {
  Object.assign(project.env, keysFor(services));
  const account = services.azurite.accountName;
  const storage = { account, endpoint: gates?.storage.endpoint, container };
  const more = { endpoint: gates?.batch.endpoint, storage, pool };
  const azure = { type: "azure-batch", ...optionsFor(services, more) };
  const actions = ["echo made >${{ target }}"];
  const part = { matrix: { n: [1, 2] }, targets: ["out/${{ matrix.n }}"], actions };
  const file = { version: 1, backends: { azure }, defaults: { backend: "azure" }, tasks: { part } };
  project.write("flow.yaml", JSON.stringify(file));
}

/** Runs flow until the point is reached, or to its end; false when it was not reached. */
async function killedAt(
  project: FlowProject,
  args: readonly string[],
  { request, after = 0, isLost }: Point,
): Promise<boolean> {
  const flow = project.start(args);
  let left = after;
  letThrough = (arrival) => {
    if (request !== undefined && request !== arrival) return true;
    if (left-- !== 0) return true;
    flow.signal("SIGKILL");
    return !isLost;
  };
  const { signal } = await flow.ended;
  letThrough = () => true;
  await Promise.all([gates?.batch.idle(), gates?.storage.idle()]);
  return signal === "SIGKILL";
}

/** All that lies in storage, but for empty containers that are not flow's. */
async function stored(): Promise<readonly string[]> {
  const { connectionString } = services.azurite;
  const service = BlobServiceClient.fromConnectionString(connectionString);
  const found: string[] = [];
  for await (const { name } of service.listContainers()) {
    if (name.startsWith("flow-")) found.push(name);
    for await (const blob of service.getContainerClient(name).listBlobsFlat())
      found.push(`${name}/${blob.name}`);
  }
  return found;
}

async function expectCleaned(project: FlowProject, { verb }: Setting): Promise<void> {
  expect(await project.run(...verb)).toMatchObject({ code: 0 });
  await services.simulator.until("an empty account", ({ jobs, pools }) => {
    return jobs.length + pools.length === 0;
  });
  await Promise.all([gates?.batch.idle(), gates?.storage.idle()]);
  expect(await stored()).toEqual([]);
  const { code, stderr } = await project.run("azure", "gc");
  expect(stderr).toBe("nothing of this project is left in Azure\n");
  expect(code).toBe(0);
}

const ADD = "POST /jobs/ID/addtaskcollection";
const titleOf = ({ request = "a request", after, isLost }: Point): string =>
  `${request}${after === undefined ? "" : ` after ${after} others`} ${isLost ? "gets lost" : "arrives"}`;

const MOMENTS: readonly (readonly [Setting, Point])[] = [
  [OWN, { request: ADD, isLost: false }],
  [SHARED, { request: "POST /pools", isLost: false }],
  [OWN, { request: "DELETE /jobs/ID", isLost: true }],
];

describe("nothing is left of a flow that was killed", () => {
  for (const [setting, point] of MOMENTS)
    flowTest(`when ${titleOf(point)}, after ${setting.verb[0]}`, async ({ project }) => {
      bring(project, setting);
      expect(await killedAt(project, ["run"], point)).toBe(true);
      await expectCleaned(project, setting);
    });

  flowTest("and of its clean-up, which was killed too, after another", async ({ project }) => {
    bring(project, SHARED);
    await killedAt(project, ["run"], { request: ADD, isLost: false });
    const point = { request: "DELETE /jobs/ID", isLost: false };
    expect(await killedAt(project, SHARED.verb, point)).toBe(true);
    await expectCleaned(project, SHARED);
  });
});

describe("flow azure gc without the folder that knew", () => {
  flowTest("finds what has the project's name and mark, and nothing else", async ({ project }) => {
    const client = clientFor(services.simulator);
    bring(project, SHARED);
    await killedAt(project, ["run"], { request: ADD, isLost: true });
    rmSync(project.path(".flow"), { recursive: true });
    const [pool] = services.simulator.inspect().pools;
    const name = String(pool?.["id"]);
    // The name alone is not enough, nor is the mark.
    const metadata = [{ name: "flow.project", value: name.split("-")[1] ?? "" }];
    await client.job.add({ id: `${name}-mine`, poolInfo: { poolId: name } });
    await client.job.add({ id: "another", poolInfo: { poolId: name }, metadata });
    expect(await project.run("azure", "gc")).toMatchObject({ code: 0 });
    const found = await services.simulator.until("no pool", ({ jobs, pools }) =>
      pools.length === 0 ? jobs.map(({ id }) => id) : undefined,
    );
    expect(new Set(found)).toEqual(new Set(["another", `${name}-mine`]));
    expect(await stored()).toEqual([]);
    for (const id of found) await client.job.deleteMethod(String(id));
    await expectCleaned(project, SHARED);
  });

  flowTest("says nothing of an account that it cannot ask", async ({ project }) => {
    bring(project, SHARED);
    project.env["AZURE_BATCH_ACCESS_KEY"] = "d3Jvbmcga2V5";
    const { code, stderr } = await project.run("azure", "gc");
    expect(code).toBe(4);
    expect(stderr).toMatch(/^flow: Server failed to authenticate the request\..* Check the key /);
  });
});

const reason = isThorough ? "" : " [FLOW_TEST_FAULTS is not 1]";
/** More than a run has, so that the last ones are those of a run that was not killed. */
const REQUESTS = Array.from({ length: 50 }, (_, index) => index);
/** The same for a clean-up. */
const REMOVALS = Array.from({ length: 8 }, (_, index) => index);

describe.runIf(isThorough)(`nothing is left at any request${reason}`, { timeout: 300_000 }, () => {
  for (const setting of [OWN, SHARED, FOREIGN]) {
    const { pool, container = "its own", verb } = setting;
    const where = `pool ${pool}, container ${container}, flow ${verb[0]}`;
    for (const isLost of [false, true]) {
      for (const after of REQUESTS)
        flowTest(`${titleOf({ after, isLost })}: ${where}`, async ({ project }) => {
          bring(project, setting);
          await killedAt(project, ["run"], { after, isLost });
          await expectCleaned(project, setting);
        });
      for (const after of REMOVALS)
        flowTest(`of a clean-up ${titleOf({ after, isLost })}: ${where}`, async ({ project }) => {
          bring(project, setting);
          await killedAt(project, ["run"], { request: ADD, isLost: false });
          await killedAt(project, setting.verb, { after, isLost });
          await expectCleaned(project, setting);
        });
    }
  }
});
