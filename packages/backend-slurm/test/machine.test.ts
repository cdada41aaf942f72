import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { parseMachine } from "../src/attempt/machine.ts";

it("a node is what it says it is", () => {
  const text =
    "system=Linux 6.1.0 x86_64\ncpu=AMD EPYC 7763\ncpus=64\nmemory=  263856836 kB\n" +
    "gpu=NVIDIA A100, GPU-1, 550.54, 40960\ngpu=NVIDIA A100, GPU-2, 550.54, 40960\n";
  expect(parseMachine(text)).toEqual({
    system: "Linux 6.1.0 x86_64",
    cpu: "AMD EPYC 7763",
    cpus: 64,
    memoryBytes: 263_856_836 * 1024,
    gpus: [
      { model: "NVIDIA A100", uuid: "GPU-1", driver: "550.54", memoryBytes: 40_960 * 2 ** 20 },
      { model: "NVIDIA A100", uuid: "GPU-2", driver: "550.54", memoryBytes: 40_960 * 2 ** 20 },
    ],
  });
  expect(parseMachine("")).toBeUndefined();
  expect(parseMachine("system=Linux\n")).toEqual({
    ...{ system: "Linux", cpu: "", cpus: 0, memoryBytes: 0 },
  });
});

it("the node's script says it of this machine", () => {
  const script = fileURLToPath(new URL("../node/machine.sh", import.meta.url));
  const said = execFileSync("sh", ["-euc", '. "$0"; job_machine', script], {
    env: { PATH: process.env["PATH"] },
    encoding: "utf8",
  });
  const machine = parseMachine(said);
  expect(machine?.system).toMatch(/^Linux /);
  expect(machine?.cpus).toBeGreaterThan(0);
  expect(machine?.memoryBytes).toBeGreaterThan(2 ** 20);
});
