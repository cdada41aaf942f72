/**
 * What flow leaves in an account, seen by the Azure command line, which shares no code with flow or its client:
 * both see the same job, task, pool, node and files. `azure-cli` is large, so nothing installs it.
 */
import { execFile, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { describe, expect } from "vitest";
import { flowTest } from "../rig/flow-test.ts";
import { useServices } from "./account.ts";
import { keysFor, optionsFor } from "./open-backend.ts";

const isThere = spawnSync("az", ["--help"], { stdio: "ignore" }).error === undefined;
const reason = isThere ? "" : " [az not found: apt-get install azure-cli]";

describe.runIf(isThere)(`the Azure command line${reason}`, () => {
  const services = useServices();

  flowTest("sees a run as flow does, and can end its task", async ({ project }) => {
    Object.assign(project.env, keysFor(services));
    const action = "echo half; echo data >part.txt; until [ -e let-go ]; do sleep 0.1; done";
    const azure = { type: "azure-batch", ...optionsFor(services) };
    const work = { backend: "azure", actions: [action] };
    const file = { version: 1, backends: { azure }, tasks: { work } };
    writeFileSync(project.path("flow.yaml"), JSON.stringify(file));
    const flow = project.startRun();
    const started = await flow.event("task/started");

    const { accountName, accountKey, endpoint } = services.simulator;
    const env = {
      ...project.env,
      AZURE_CONFIG_DIR: project.path("../az"),
      AZURE_CORE_COLLECT_TELEMETRY: "false",
      AZURE_BATCH_ACCOUNT: accountName,
      AZURE_BATCH_ACCESS_KEY: accountKey,
      AZURE_BATCH_ENDPOINT: endpoint,
    };
    const az = async (...args: readonly string[]): Promise<unknown> => {
      const { stdout } = await promisify(execFile)("az", ["batch", ...args, "-o", "json"], { env });
      return stdout.trim() === "" ? undefined : JSON.parse(stdout);
    };

    const [job] = (await az("job", "list")) as readonly { id: string; state: string }[];
    expect(job).toMatchObject({ state: "active" });
    const id = job?.id ?? "";
    const [task] = (await az("task", "list", "--job-id", id)) as readonly { id: string }[];
    expect(task).toMatchObject({ state: "running", nodeInfo: { nodeId: started.node } });
    const of = ["--job-id", id, "--task-id", task?.id ?? ""];
    const [pool] = (await az("pool", "list")) as readonly { id: string }[];
    const nodes = await az("node", "list", "--pool-id", pool?.id ?? "");
    expect(nodes).toContainEqual(expect.objectContaining({ id: started.node, state: "running" }));

    const listed = (await az("task", "file", "list", ...of, "--recursive", "true")) as object[];
    const theirs = listed.flatMap((each) => ("name" in each ? [each.name] : []));
    const { stdout } = await project.run("azure", "files", "work", "--json");
    const ours = (JSON.parse(stdout) as readonly { path: string }[]).map(({ path }) => path);
    expect(ours).toContain("wd/project/part.txt");
    expect(theirs).toEqual(expect.arrayContaining(ours));

    await az("task", "stop", ...of);
    const { code } = await flow.ended;
    expect(code).not.toBe(0);
    expect(await az("job", "list")).toEqual([]);
    expect(await az("pool", "list")).toEqual([]);
  });
});
