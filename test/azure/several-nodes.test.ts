/** A task on several nodes: who takes part and with how many processes, and what becomes of it when one is lost. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect } from "vitest";
import { type FlowProject, flowTest } from "../rig/flow-test.ts";
import { until } from "../rig/until.ts";
import { useServices } from "./account.ts";
import { keysFor, optionsFor } from "./open-backend.ts";

const services = useServices();

function write(project: FlowProject, task: object, options: object = {}): void {
  Object.assign(project.env, keysFor(services));
  const azure = { type: "azure-batch", ...optionsFor(services, options) };
  const work = { backend: "azure", ...task };
  writeFileSync(
    project.path("flow.yaml"),
    JSON.stringify({ version: 1, backends: { azure }, tasks: { work } }),
  );
}

const emptyAccount = () =>
  services.simulator.until("an empty account", ({ jobs, pools }) => {
    return jobs.length + pools.length === 0;
  });

describe("a task on several nodes", () => {
  flowTest("is told who takes part, and how many processes each has", async ({ project }) => {
    project.write("part.sh", "echo of the project\n");
    const facts = 'echo "$FLOW_NODES $FLOW_NODE_RANK $FLOW_WORLD_SIZE"';
    const files = 'cat "$FLOW_HOSTFILE"; echo --; cat "$AZ_BATCHAI_MPI_HOST_FILE"';
    const master = 'echo "-- $MASTER_ADDR"; test "$MASTER_PORT" -gt 1024; cat part.sh';
    write(project, {
      resources: { nodes: 3, mpi: { processes: 7 } },
      actions: [`{ ${facts}; ${files}; ${master}; } > \${{ target }}`],
      targets: ["told.txt"],
      deps: ["part.sh"],
    });
    expect(await project.run("run")).toMatchObject({ code: 0 });
    const [first = "", hosts = "", slots = "", rest = ""] = project
      .read("told.txt")
      .split(/^--\s|(?<=^3 0 7\n)/m);
    expect(first).toBe("3 0 7\n");
    const names = hosts.trim().split("\n");
    expect(new Set(names).size).toBe(3);
    expect(slots.trim().split("\n")).toEqual([
      `${names[0]} slots=3`,
      `${names[1]} slots=2`,
      `${names[2]} slots=2`,
    ]);
    expect(rest).toBe(`${names[0]}\necho of the project\n`);
    await emptyAccount();
  });

  flowTest(
    "that loses one of them is preempted, and begins once more on all",
    async ({ project }) => {
      const { simulator } = services;
      const log = project.path("../begun");
      const gate = project.path("../gate");
      const action = `echo begun >>'${log}'; until [ -e '${gate}' ]; do sleep 0.1; done`;
      const task = { resources: { nodes: 2 }, actions: [action], requeue: "always" };
      write(project, task, { priority: "low" });
      const flow = project.startRun();
      await until("the program", () => existsSync(log));
      const { node } = await flow.event("task/started");
      const other = await simulator.until(
        "the other node",
        ({ pools }) =>
          pools.flatMap(({ nodes }) => nodes).find(({ id }) => String(id) !== node)?.["id"],
      );
      simulator.preempt(String(other));
      expect(await flow.event("task/again")).toMatchObject({
        reason: "preempt",
        outcome: { cause: "preempted" },
      });
      simulator.restore(String(other));
      writeFileSync(gate, "");
      expect((await flow.ended).code).toBe(0);
      expect(readFileSync(log, "utf8")).toBe("begun\nbegun\n");
      await emptyAccount();
    },
  );
});
