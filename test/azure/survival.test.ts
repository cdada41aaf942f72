/** What a flow that was killed leaves in the account is taken up by the next one, or taken away. */
import { writeFileSync } from "node:fs";
import { ContainerClient, StorageSharedKeyCredential } from "@azure/storage-blob";
import { describe, expect } from "vitest";
import { type FlowProject, flowTest } from "../rig/flow-test.ts";
import { useServices } from "./account.ts";
import { keysFor, optionsFor } from "./open-backend.ts";

const services = useServices();

/** Eight tasks, each of which leaves one line in a log of its own per start. */
function write(project: FlowProject, options: object = {}): void {
  Object.assign(project.env, keysFor(services), { LOGS: project.path("logs") });
  const azure = { type: "azure-batch", ...optionsFor(services, options) };
  const begin = `mkdir -p '${project.path("logs")}'; echo begun >> '${project.path("logs")}'/\${{ matrix.n }}`;
  const file = {
    version: 1,
    backends: { azure },
    tasks: {
      work: {
        backend: "azure",
        matrix: { n: ["1..8"] },
        actions: [`${begin}; sleep 0.5; echo done > \${{ target }}`],
        targets: ["made/${{ matrix.n }}"],
      },
    },
  };
  writeFileSync(project.path("flow.yaml"), JSON.stringify(file).replace('["1..8"]', '"1..8"'));
}

const left = () => {
  const { jobs, pools } = services.simulator.inspect();
  return { jobs: jobs.map(({ id }) => id), pools: pools.map(({ id }) => id) };
};
const begun = (project: FlowProject, n: number): number =>
  project.has(`logs/${n}`) ? project.read(`logs/${n}`).trim().split("\n").length : 0;
const NUMBERS = [1, 2, 3, 4, 5, 6, 7, 8];

describe("a run that is killed with SIGKILL", () => {
  flowTest(
    "is taken up by the next, which starts nothing twice and leaves nothing",
    async ({ project }) => {
      write(project);
      let code = -1;
      for (const pauseMs of [150, 400, 700, 1000, 1500]) {
        const flow = project.startRun();
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
        await flow.kill();
      }
      ({ code } = await project.runEvents());
      expect(code).toBe(0);
      for (const n of NUMBERS) {
        expect(project.read(`made/${n}`)).toBe("done\n");
        expect(begun(project, n)).toBe(1);
      }
      await services.simulator.until(
        "an empty account",
        ({ jobs, pools }) => jobs.length + pools.length === 0,
      );
    },
  );

  flowTest("can be cleaned away with everything it had in Azure", async ({ project }) => {
    write(project, { pool: "shared" });
    const flow = project.startRun();
    await flow.event("task/started");
    await flow.kill();
    expect(left().jobs.length).toBe(1);
    expect(left().pools.length).toBe(1);
    const cleaned = await project.run("azure", "gc");
    expect(cleaned.code).toBe(0);
    expect(cleaned.stderr).toMatch(
      /^removed the job flow-\S+\nremoved the pool flow-\S+\nremoved the container flow-\S+\n$/,
    );
    await services.simulator.until(
      "an empty account",
      ({ jobs, pools }) => jobs.length + pools.length === 0,
    );
    const { azurite } = services;
    const [, container = ""] = /container (\S+)/.exec(cleaned.stderr) ?? [];
    const credential = new StorageSharedKeyCredential(azurite.accountName, azurite.accountKey);
    const client = new ContainerClient(`${azurite.blobEndpoint}/${container}`, credential);
    expect(await client.exists()).toBe(false);
    expect((await project.run("azure", "gc")).stderr).toBe(
      "nothing of this project is left in Azure\n",
    );
    // What was running is gone; the next run makes it anew.
    expect((await project.runEvents()).code).toBe(0);
    expect((await project.run("clean", "-y")).stderr).toContain("removed the pool flow-");
  });
});
