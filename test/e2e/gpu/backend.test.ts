/** The example of GPU sharing: with simulated GPUs, with too little memory, and without any GPU. */
import { describe, expect } from "vitest";
import { FakeMachine, fakeGpu } from "../../gpu/fake-gpus.ts";
import { type FlowProject, flowTest } from "../../rig/flow-test.ts";
import { findProgram } from "../../rig/system.ts";

const FILE = "glb.flow.yaml";
const has = findProgram("cc") !== undefined && findProgram("python3") !== undefined;

async function onMachine(
  machine: FakeMachine,
  project: FlowProject,
  test: (env: Readonly<Record<string, string>>) => Promise<void>,
): Promise<void> {
  project.copy("workflows");
  try {
    await test(machine.env);
  } finally {
    await project.start(["gpu", "stop"], { env: machine.env }).ended;
    machine.remove();
  }
}

describe.skipIf(!has)("workflows/glb", () => {
  flowTest("runs nine jobs on two GPUs and learns what they need", ({ project }) =>
    onMachine(new FakeMachine(2), project, async (env) => {
      const run = await project.start(["run", "-f", FILE, "-n", "9"], { env }).ended;
      expect(run.code).toBe(0);
      const gpus = [1, 2, 3].map(
        (seed) => (JSON.parse(project.read(`out/glb/torch-${seed}.json`)) as { gpus: string }).gpus,
      );
      for (const gpu of gpus) expect(gpu).toMatch(/^GPU-0000000[01]-/);
      const learned = await project.start(["gpu", "profile"], { env }).ended;
      expect(learned.stdout).toMatch(/1\.4 GiB +9 runs +task train\n/);
    }),
  );

  flowTest("runs what was out of memory again, with more", ({ project }) => {
    const small = fakeGpu(0, { totalMib: 2300, reservedMib: 100 });
    return onMachine(new FakeMachine(0, { gpus: [small] }), project, async (env) => {
      const selected = "train@kind=tensorflow";
      const run = await project.start(["run", "-f", FILE, "-n", "3", selected], { env }).ended;
      expect(run.code).toBe(0);
      const seeds = [1, 2, 3].filter((seed) => project.has(`out/glb/tensorflow-${seed}.json`));
      expect(seeds).toEqual([1, 2, 3]);
      const log = await project.start(["history", "-f", FILE], { env }).ended;
      expect(log.code).toBe(0);
    });
  });

  flowTest("says at the start that no GPU here will ever do, and what to do", ({ project }) => {
    const gpus = [fakeGpu(0), fakeGpu(1, { model: "NVIDIA H100", isDivided: true })];
    return onMachine(new FakeMachine(0, { gpus }), project, async (env) => {
      const wishes = [
        ["gpus: 2", "2 GPUs; there are 1"],
        ["gpus: 1, gpu_model: H100", "a GPU of model `H100`; there are 0"],
        ["gpu_mem: 40GiB", "40.0 GiB of GPU memory; the largest GPU can give 23.0 GiB"],
      ] as const;
      for (const [wish, why] of wishes) {
        project.write(
          "need.flow.yaml",
          `version: 1\ntasks:\n  a: { backend: gpu, resources: { ${wish} }, actions: [touch made] }\n`,
        );
        const run = await project.start(["run", "-f", "need.flow.yaml"], { env }).ended;
        expect(run.code).toBe(4);
        expect(run.stderr).toBe(
          `flow: \`a\` asks for ${why}. Let it ask for less, or run it elsewhere with \`--backend\`.\n`,
        );
      }
      expect(project.has("made")).toBe(false);
    });
  });

  flowTest(
    "uses cpus where the only GPU is divided, and says why it could not be had",
    ({ project }) => {
      const gpus = [fakeGpu(0, { isDivided: true })];
      return onMachine(new FakeMachine(0, { gpus }), project, async (env) => {
        const file = (more: string): string =>
          `version: 1\ntasks:\n  a: { backend: gpu, resources: { gpus: 1${more} }, actions: ["echo $FLOW_GPU_COUNT > made"] }\n`;
        const run = (): ReturnType<FlowProject["start"]>["ended"] =>
          project.start(["run", "-f", "need.flow.yaml"], { env }).ended;
        project.write("need.flow.yaml", file(""));
        const refused = await run();
        expect(refused.code).toBe(4);
        expect(refused.stderr).toBe(
          "flow: `a` asks for a GPU, and the backend `gpu` has none: No GPU can be used: GPU 0: it is divided by MIG, and instances cannot be shared yet; nothing is put on it. Give it `resources.else_cpus` to let it run without one, or run it elsewhere with `--backend`.\n",
        );
        project.write("need.flow.yaml", file(", else_cpus: 1"));
        expect((await run()).code).toBe(0);
        expect(project.read("made")).toBe("0\n");
      });
    },
  );

  flowTest("says at the start that there is no GPU, and what to do", async ({ project }) => {
    project.copy("workflows");
    project.write(
      "need.flow.yaml",
      "version: 1\ntasks:\n  a: { backend: gpu, resources: { gpus: 1 }, actions: [touch made] }\n",
    );
    const env = { FLOW_NVML_LIBRARY: "/nowhere" };
    const args = ["run", "-f", "need.flow.yaml", "--gpus", "none"];
    const run = await project.start(args, { env }).ended;
    expect(run.code).toBe(4);
    expect(run.stderr).toBe(
      "flow: `a` asks for a GPU, and the backend `gpu` has none: No GPU is to be used (`--gpus none`). Give it `resources.else_cpus` to let it run without one, or run it elsewhere with `--backend`.\n",
    );
    expect(project.has("made")).toBe(false);
  });
});
