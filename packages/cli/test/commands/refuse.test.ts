import { describe, expect, it } from "vitest";
import { projectFolder } from "../project-folder.ts";

const file = `tasks:
  gpu:
    resources: {gpus: 1}
    actions: ["true"]
  either:
    resources: {gpus: 1, else_cpus: 2}
    actions: ["true"]
  box:
    container: python:3
    actions: ["true"]
  wide:
    resources: {nodes: 2}
    actions: ["true"]
`;

describe("what a backend cannot do", () => {
  it("is an error before anything starts, at each task that asks for it", async () => {
    const folder = projectFolder({ "flow.yaml": file });
    const { code, stderr } = await folder.flow("run");
    expect(code).toBe(2);
    expect(
      stderr,
    ).toBe(`flow.yaml:2:3: error: \`gpu\` asks for a GPU, and the backend \`local\` hands out none; use \`backend: gpu\`, or give \`else_cpus\` to run without [unsupported]
  2 |   gpu:
    |   ^^^

flow.yaml:8:3: error: \`box\` asks for a container, and the backend \`local\` runs none; choose a backend that does, or remove \`container\` [unsupported]
  8 |   box:
    |   ^^^

flow.yaml:11:3: error: \`wide\` asks for several nodes or MPI, and the backend \`local\` is one machine; choose a cluster's backend [unsupported]
  11 |   wide:
     |   ^^^^
`);
  });

  it("is said by each backend for itself", async () => {
    const folder = projectFolder({
      "flow.yaml": `defaults: {backend: gpu}
tasks:
  box: {container: "python:3", actions: ["true"]}
  wide: {resources: {nodes: 2}, actions: ["true"]}
`,
    });
    const { code, stderr } = await folder.flow("run");
    expect(code).toBe(2);
    expect(stderr).toContain("`box` asks for a container, and the backend `gpu` runs none");
    expect(stderr).toContain("`wide` asks for several nodes or MPI, and the backend `gpu` is one");
  });

  it("also where only what a task declares comes home from", async () => {
    const folder = projectFolder({
      "flow.yaml": `defaults: {backend: cloud}
tasks:
  train: {metrics: {jsonl: "logs/*.jsonl"}, actions: ["true"]}
  kept: {metrics: {jsonl: "logs/*.jsonl"}, outputs: {logs: logs}, actions: ["true"]}
  named: {metrics: {jsonl: logs/a.jsonl}, actions: ["true"]}
backends:
  cloud: {type: azure-batch, endpoint: "https://myaccount.westeurope.batch.azure.com", storage: {account: mystorage}, vm_size: standard_d2s_v3}
`,
    });
    const { code, stderr } = await folder.flow("run");
    expect(code).toBe(2);
    expect(
      stderr,
    ).toBe(`flow.yaml:3:3: error: \`train\` has metrics in \`logs/*.jsonl\`, which would stay on the node; make their folder a target or one of \`outputs\`, or name the file [unsupported]
  3 |   train: {metrics: {jsonl: "logs/*.jsonl"}, actions: ["true"]}
    |   ^^^^^
`);
  });

  it("and of options that exclude each other", async () => {
    const folder = projectFolder({
      "flow.yaml": `backends:
  cluster: {type: slurm, folder: /scratch/me, mode: pilot}
tasks:
  train: {backend: cluster, actions: ["true"]}
`,
    });
    const { code, stderr } = await folder.flow("run");
    expect(code).toBe(2);
    expect(
      stderr,
    ).toBe(`flow.yaml:2:53: error: \`backends.cluster.mode\`: Pilots need a project folder that the nodes see; leave out \`folder\` or choose another \`mode\`. [backend-options]
  2 |   cluster: {type: slurm, folder: /scratch/me, mode: pilot}
    |                                                     ^^^^^
`);
  });
});
