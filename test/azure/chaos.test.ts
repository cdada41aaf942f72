/** Storms on the wire, nodes that vanish, lists that lie: each task's effect once, nothing left, no secret anywhere. */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { type FlowProject, flowTest } from "../rig/flow-test.ts";
import { until } from "../rig/until.ts";
import { useServices } from "./account.ts";
import { keysFor, optionsFor } from "./open-backend.ts";

const services = useServices();
const CANARY = "canary-7f3a-not-to-be-seen";

function write(project: FlowProject, options: object = {}): void {
  Object.assign(project.env, keysFor(services), { TOKEN_OF_MINE: CANARY });
  const azure = { type: "azure-batch", ...optionsFor(services, options) };
  const file = {
    version: 1,
    backends: { azure },
    secrets: ["TOKEN_OF_MINE"],
    tasks: {
      one: {
        backend: "azure",
        matrix: { n: "1..10" },
        actions: ['test "${#TOKEN_OF_MINE}" = 26; sleep 0.1; echo ${{ matrix.n }} > ${{ target }}'],
        targets: ["one/${{ matrix.n }}"],
        requeue: "always",
      },
      all: {
        backend: "azure",
        deps: ["one/*"],
        after: ["one"],
        actions: ["cat one/* | sort -n > ${{ target }}"],
        targets: ["all.txt"],
        requeue: "always",
      },
    },
  };
  writeFileSync(project.path("flow.yaml"), JSON.stringify(file));
}

/** Text of every file below a folder. */
function* texts(folder: string): Generator<readonly [string, string]> {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    try {
      if (statSync(path).isDirectory()) yield* texts(path);
      else yield [path, readFileSync(path, "latin1")];
    } catch (error) {
      // A node removes files while they are looked at.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
}

const ALL = `${Array.from({ length: 10 }, (_, n) => n + 1).join("\n")}\n`;

describe("a storm", () => {
  for (const seed of [1, 2, 3])
    flowTest(
      `of errors, cut connections and stale, shuffled, short lists, seed ${seed}`,
      async ({ project }) => {
        const { simulator } = services;
        write(project);
        simulator.faults.storm(seed, 0.15);
        simulator.faults.shuffle(seed);
        simulator.faults.staleMs = 200;
        simulator.faults.pageSize = 3;
        const flow = await project.runEvents();
        const { drawn } = simulator.faults;
        simulator.faults.calm();
        expect(flow.code).toBe(0);
        expect(drawn).toBeGreaterThan(3);
        expect(project.read("all.txt")).toBe(ALL);
        expect(flow.tasks("task/again")).toEqual([]);
        if (simulator.inspect().jobs.length > 0) await project.run("azure", "gc");
        await simulator.until(
          "an empty account",
          ({ jobs, pools }) => jobs.length + pools.length === 0,
        );
      },
    );

  flowTest("that takes nodes away again and again", async ({ project }) => {
    const { simulator } = services;
    write(project, { priority: "low" });
    const flow = project.startRun();
    for (let round = 0; round < 4; round++) {
      const id = await simulator.until(
        "a busy node",
        ({ pools }) =>
          pools.flatMap(({ nodes }) => nodes).find(({ state }) => state === "running")?.["id"],
      );
      simulator.preempt(String(id));
      await new Promise((resolve) => setTimeout(resolve, 150));
      simulator.restore(String(id));
    }
    expect((await flow.ended).code).toBe(0);
    expect(project.read("all.txt")).toBe(ALL);
    await simulator.until(
      "an empty account",
      ({ jobs, pools }) => jobs.length + pools.length === 0,
    );
  });
});

describe("secrets", () => {
  flowTest(
    "are in no request, node directory, record or log while a task runs and after",
    async ({ project }) => {
      const { simulator } = services;
      write(project);
      const text = project
        .read("flow.yaml")
        .replace("sleep 0.1", "echo ready; until [ -e $LET_GO ]; do sleep 0.1; done");
      writeFileSync(project.path("flow.yaml"), text.replaceAll("$LET_GO", project.path("let-go")));
      const planned = await project.run("plan", "--requests");
      expect(planned.code).toBe(0);
      const flow = project.startRun("one@n=1");
      const { stdout } = await flow.event("task/started");
      await until(
        "the program",
        () => existsSync(stdout) && readFileSync(stdout, "utf8") === "ready\n",
      );
      const hidden = [CANARY, ...Object.values(keysFor(services))];
      const seen: string[] = [];
      for (const secret of hidden)
        if (`${planned.stdout}${planned.stderr}`.includes(secret)) seen.push("the plan");
      const look = (): void => {
        for (const { operation, target, body, answer = "" } of simulator.exchanges)
          for (const secret of hidden)
            if (`${target}${body}${answer}`.includes(secret)) seen.push(operation);
        for (const [path, found] of [
          ...texts(project.path(".flow")),
          ...texts(simulator.directory),
        ])
          for (const secret of hidden) if (found.includes(secret)) seen.push(path);
        // Nor are signatures of links written down on this machine.
        for (const [path, found] of texts(project.path(".flow")))
          if (/[?&]sig=/.test(found)) seen.push(path);
      };
      look();
      writeFileSync(project.path("let-go"), "");
      expect((await flow.ended).code).toBe(0);
      look();
      expect(seen).toEqual([]);
      expect(project.transcript()).not.toContain(CANARY);
    },
  );
});
