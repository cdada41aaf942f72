/** `flow azure` and what `flow plan` shows of Azure Batch. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { ContainerClient, StorageSharedKeyCredential } from "@azure/storage-blob";
import { describe, expect } from "vitest";
import { type FlowProject, flowTest } from "../rig/flow-test.ts";
import { until } from "../rig/until.ts";
import { useServices } from "./account.ts";
import { keysFor, optionsFor } from "./open-backend.ts";
import { checkModel } from "./simulator/models.ts";

const services = useServices();

function write(project: FlowProject, tasks: object, options: object = {}): void {
  Object.assign(project.env, keysFor(services));
  const azure = { type: "azure-batch", ...optionsFor(services, options) };
  writeFileSync(
    project.path("flow.yaml"),
    JSON.stringify({ version: 1, backends: { azure }, tasks }),
  );
}

describe("pools by hand", () => {
  flowTest("are made, listed, resized, used and deleted", async ({ project }) => {
    const work = { backend: "azure", actions: ["echo made > ${{ target }}"], targets: ["a.txt"] };
    // A container that is not flow's alone: its other blobs stay.
    const { azurite } = services;
    const credential = new StorageSharedKeyCredential(azurite.accountName, azurite.accountKey);
    const shared = new ContainerClient(`${azurite.blobEndpoint}/shared`, credential);
    await shared.create();
    await shared.getBlockBlobClient("attempts/mine").upload("mine", 4);
    const storage = {
      account: azurite.accountName,
      endpoint: azurite.blobEndpoint,
      container: "shared",
    };
    write(project, { work }, { storage });
    const flow = (...args: readonly string[]) => project.run("azure", ...args);
    const made = await flow(
      "pool",
      "create",
      "mine",
      "--nodes",
      "1",
      "--low",
      "--vm-size",
      "standard_a1_v2",
    );
    expect(made.stderr).toBe("made the pool mine; it costs until `flow azure pool delete mine`\n");
    await services.simulator.until(
      "a node",
      ({ pools }) => pools[0]?.nodes[0]?.["state"] === "idle",
    );
    expect((await flow("pool")).stdout).toMatch(
      /^POOL +OF +SIZE +DEDICATED +LOW +SLOTS +STATE\nmine +\S+@\S+ +standard_a1_v2 +0\/0 +1\/1 +1 +steady\n$/,
    );
    expect((await flow("nodes", "mine")).stdout).toMatch(
      /^NODE .*\ntvmps_\S+ +idle +low priority +0 *\n$/,
    );
    expect((await flow("pool", "resize", "mine", "--nodes", "2", "--low")).code).toBe(0);
    await services.simulator.until("two nodes", ({ pools }) => pools[0]?.nodes.length === 2);
    const {
      vm_size: _size,
      nodes: _nodes,
      slots: _slots,
      ...rest
    } = optionsFor(services) as Record<string, unknown>;
    const azure = { type: "azure-batch", ...rest, storage, pool: { id: "mine" } };
    writeFileSync(
      project.path("flow.yaml"),
      JSON.stringify({ version: 1, backends: { azure }, tasks: { work } }),
    );
    expect((await project.runEvents()).code).toBe(0);
    expect(project.read("a.txt")).toBe("made\n");
    expect((await flow("gc")).code).toBe(0);
    const names: string[] = [];
    for await (const { name } of shared.listBlobsFlat()) names.push(name);
    expect(names).toEqual(["attempts/mine"]);
    // A pool that flow did not make for the run stays until it is deleted by hand.
    expect((await flow("pool", "delete", "mine", "-y")).stderr).toBe("deleted the pool mine\n");
    await services.simulator.until("no pool", ({ pools }) => pools.length === 0);
  });

  flowTest("that do not fit are refused with what is wrong", async ({ project }) => {
    const {
      vm_size: _size,
      nodes: _nodes,
      slots: _slots,
      ...rest
    } = optionsFor(services) as Record<string, unknown>;
    const azure = { type: "azure-batch", ...rest, pool: { id: "nobodys" } };
    const tasks = { work: { backend: "azure", actions: ["true"] } };
    writeFileSync(
      project.path("flow.yaml"),
      JSON.stringify({ version: 1, backends: { azure }, tasks }),
    );
    Object.assign(project.env, keysFor(services));
    const run = await project.run("run", "--output", "plain");
    expect(run.code).not.toBe(0);
    expect(`${run.stdout}${run.stderr}`).toContain(
      "the pool nobodys does not exist (PoolNotFound). There is no such pool: check `pool: {id}`, or let flow make one.",
    );
  });
});

describe("files of a running task", () => {
  flowTest("are listed and printed from its node", async ({ project }) => {
    const work = `echo half > half.txt; until [ -e ${project.path("let-go")} ]; do sleep 0.1; done`;
    write(project, { work: { backend: "azure", actions: [work] } });
    const flow = project.startRun();
    await flow.event("task/started");
    let listed = "";
    while (!/wd\/project\/half\.txt +5 ?B/.test(listed))
      listed = (await project.run("azure", "files", "work")).stdout;
    const printed = await project.run("azure", "files", "work", "--get", "wd/project/half.txt");
    expect(printed.stdout).toBe("half\n");
    writeFileSync(project.path("let-go"), "");
    expect((await flow.ended).code).toBe(0);
  });

  flowTest("are listed by output and printed byte by byte, then and after", async ({ project }) => {
    const bytes = Buffer.from(Array.from({ length: 5 << 20 }, (_, index) => (index * 7) % 256));
    writeFileSync(project.path("weights.bin"), bytes);
    const gate = `until [ -e ${project.path("let-go")} ]; do sleep 0.1; done`;
    const copies = 'for each in "$FLOW_OUTPUT_MODEL" kept; do cp weights.bin "$each"/w.bin; done';
    write(project, {
      work: {
        backend: "azure",
        deps: ["weights.bin"],
        outputs: { MODEL: "", KEPT: "kept" },
        actions: [`${copies}; echo ready; ${gate}`],
      },
    });
    const flow = project.startRun();
    const { stdout } = await flow.event("task/started");
    await until("the copies", () => existsSync(stdout) && readFileSync(stdout, "utf8") !== "");
    const list = async (output: string): Promise<readonly string[]> => {
      const { stdout } = await project.run("azure", "files", "work", "--output", output, "--json");
      return JSON.parse(stdout).map(({ path }: { readonly path: string }) => path);
    };
    const get = async (path: string): Promise<Buffer> => {
      const copy = project.path("../copy");
      const wrapper = ["sh", "-c", `exec "$@" >'${copy}'`, "sh"];
      await project.start(["azure", "files", "work", "--get", path], { wrapper }).ended;
      return readFileSync(copy);
    };
    expect(await list("MODEL")).toEqual(["wd/out/MODEL/w.bin"]);
    expect(await list("KEPT")).toEqual(["wd/project/kept/w.bin"]);
    expect((await get("wd/out/MODEL/w.bin")).equals(bytes)).toBe(true);
    writeFileSync(project.path("let-go"), "");
    expect((await flow.ended).code).toBe(0);
    expect(await list("MODEL")).toEqual(["out/MODEL/w.bin"]);
    expect(await list("KEPT")).toEqual(["project/kept/w.bin"]);
    for (const path of ["out/MODEL/w.bin", "project/kept/w.bin"])
      expect((await get(path)).equals(bytes)).toBe(true);
    expect(await project.run("azure", "files", "work", "--output", "LOGS")).toMatchObject({
      code: 2,
      stderr: "flow: work has MODEL, KEPT, and no output `LOGS`; see `flow azure --help`\n",
    });
  });
});

describe("flow plan --requests", () => {
  flowTest(
    "shows bodies that the service's models accept, without a key or a link",
    async ({ project }) => {
      const tasks = {
        prepare: { actions: ["true"] },
        train: {
          matrix: { seed: "1..3" },
          actions: ["echo ${{ matrix.seed }}"],
          container: "python:3.12",
          "azure-batch": { priority: "low" },
        },
      };
      write(project, tasks, {
        mounts: { data: { blob: "data" }, logs: { files: "logs" } },
        start: "apt-get update",
        scale: "auto",
        max_node_hours: 60,
      });
      const before = services.simulator.exchanges.length;
      const planned = await project.run("plan", "--requests", "--backend", "azure");
      expect(planned.code).toBe(0);
      expect(services.simulator.exchanges.length).toBe(before);
      const { azure } = JSON.parse(planned.stdout);
      expect(azure.map((each: { tasks: object[] }) => each.tasks.length)).toEqual([1, 3]);
      for (const { job, tasks: bodies } of azure) {
        expect(checkModel("JobAddParameter", job)).toEqual([]);
        for (const body of bodies) expect(checkModel("TaskAddParameter", body)).toEqual([]);
      }
      const [, train] = azure;
      const { pool } = train.job.poolInfo.autoPoolSpecification;
      expect(pool.autoScaleFormula).toContain("$TargetLowPriorityNodes");
      expect(pool.virtualMachineConfiguration.containerConfiguration.containerImageNames).toEqual([
        "python:3.12",
      ]);
      expect(train.nodeHoursAtMost).toBe(60);
      for (const secret of Object.values(keysFor(services)))
        expect(planned.stdout).not.toContain(secret);
    },
  );
});

describe("a limit to the hours of all nodes", () => {
  flowTest("ends a run sooner the more nodes it may have", async ({ project }) => {
    const { simulator } = services;
    write(project, { work: { backend: "azure", actions: ["true"] } }, { max_node_hours: 1.5 });
    const from = simulator.exchanges.length;
    expect(await project.run("run")).toMatchObject({ code: 0 });
    const sent = (name: string) =>
      simulator.exchanges.slice(from).flatMap(({ operation, body }) => {
        return operation === name ? [JSON.parse(body)] : [];
      });
    const [job] = sent("Job_Add");
    expect(job.constraints.maxWallClockTime).toBe("PT1800S");
    const [tasks] = sent("Task_AddCollection");
    expect(tasks.value[0].constraints.maxWallClockTime).toBe("PT1800S");
  });
});
