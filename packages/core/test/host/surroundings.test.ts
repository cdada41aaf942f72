import * as fs from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { layout } from "../../src/engine/layout.ts";
import {
  installedPackages,
  interpreterOf,
  parseGpus,
  Surroundings,
} from "../../src/host/surroundings.ts";
import { NO_RESOURCES } from "../../src/model/resources.ts";
import { readObject } from "../../src/snapshot/store.ts";
import { task } from "../engine/tasks.ts";

function folder(): string {
  const path = fs.mkdtempSync(join(tmpdir(), "flow-surroundings-"));
  onTestFinished(() => fs.rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A Python of which only the answer is real. */
function fakePython(root: string, packages: readonly string[]): void {
  fs.mkdirSync(join(root, "bin"));
  for (const name of packages) fs.mkdirSync(join(root, "site", name), { recursive: true });
  const answer = JSON.stringify(["3.12.1", "/usr/bin/python3.12", [join(root, "site")]]);
  const script = `#!/bin/sh\necho asked >> ${root}/asked\necho '${answer}'\n`;
  fs.writeFileSync(join(root, "bin/python3"), script, { mode: 0o755 });
}

const attempt = (root: string, command: string) => ({
  task: task("t"),
  root,
  commands: [command],
  resources: NO_RESOURCES,
});

describe("what attempts run in", () => {
  it("is asked once for each interpreter; the list of packages is stored", async () => {
    const root = folder();
    fakePython(root, ["Torch_Vision-0.19.0.dist-info", "numpy-2.1.0.dist-info"]);
    const places = layout(root);
    const surroundings = new Surroundings(places, { PATH: `${root}/bin:/usr/bin:/bin` });
    surroundings.expect(attempt(root, "python3 train.py"));
    const facts = await surroundings.of(attempt(root, "python3 train.py"), { node: hostname() });
    await surroundings.of(attempt(root, "python3 test.py"), { node: hostname() });
    expect(facts.machine?.cpus).toBeGreaterThan(0);
    const python = facts.environment?.python;
    expect(python).toMatchObject({ version: "3.12.1", packageCount: 2 });
    expect(readObject(places, python?.packages ?? "").toString("utf8")).toBe(
      "numpy==2.1.0\ntorch-vision==0.19.0\n",
    );
    expect(fs.readFileSync(join(root, "asked"), "utf8")).toBe("asked\n");
  });

  it("is left out where it is not known", async () => {
    const root = folder();
    const surroundings = new Surroundings(layout(root), { PATH: root });
    const here = { node: hostname() };
    const nothing = await surroundings.of(attempt(root, "python3 a.py"), here);
    expect(nothing.environment).toBeUndefined();
    const elsewhere = await surroundings.of(attempt(root, "true"), { node: "node17" });
    expect(elsewhere).toEqual({ machine: undefined, environment: undefined });
  });

  it("is a container's image and digest where there is one", async () => {
    const digest = `sha256:${"a".repeat(64)}`;
    const container = `ghcr.io/a/b@${digest}`;
    const inside = { ...attempt("/", "python3 a.py"), task: task("t", { container }) };
    const { environment } = await new Surroundings(layout("/"), {}).of(inside, { node: "n" });
    expect(environment).toEqual({ container: { image: container, digest } });
  });

  it.each([
    ["python train.py", "python"],
    ["cd src && python3.11 -m train", "python3.11"],
    [".venv/bin/python train.py", ".venv/bin/python"],
    ["FOO=1 python3", "python3"],
    ["sh train.sh", undefined],
    ["pythonic x", undefined],
    [". .venv/bin/activate && python train.py", undefined],
    ["uv run python train.py", undefined],
    ["conda activate x; python train.py", undefined],
  ])("`%s` calls %s", (command, interpreter) => {
    expect(interpreterOf([command])).toBe(interpreter);
  });

  it("reads packages from their folders and GPUs from what nvidia-smi says", () => {
    const root = folder();
    for (const name of ["a-1.0.dist-info", "b_c-2.0-py3.12.egg-info", "x", "__pycache__"]) {
      fs.mkdirSync(join(root, name));
    }
    expect(installedPackages([root, join(root, "missing")])).toEqual(["a==1.0", "b-c==2.0"]);
    expect(parseGpus("NVIDIA H200, GPU-1, 570.1, 143771\n\n")).toEqual([
      { model: "NVIDIA H200", uuid: "GPU-1", driver: "570.1", memoryBytes: 143771 * 2 ** 20 },
    ]);
    expect(parseGpus("")).toEqual([]);
  });
});
