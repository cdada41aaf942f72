/** The NVML reader against a library built from C, with the real calls. */
import { silentLog } from "@flow/core";
import { afterEach, expect, it } from "vitest";
import { FakeMachine, fakeGpu, type FakeState } from "../../../../test/gpu/fake-gpus.ts";
import { systemSuite } from "../../../../test/rig/system.ts";
import { openNvml } from "../../src/reader/nvml.ts";
import type { Reader } from "../../src/reader/reader.ts";

const MIB = 2 ** 20;

systemSuite("cc", "the NVML reader", () => {
  const open: { machine: FakeMachine; reader: Reader }[] = [];

  async function reading(count: number, changes: Partial<FakeState> = {}) {
    const machine = new FakeMachine(count, changes);
    Object.assign(process.env, { FAKE_NVML: machine.env["FAKE_NVML"] });
    setEnvironment("FAKE_NVML", machine.env["FAKE_NVML"] ?? "");
    const opened = await openNvml({ env: machine.env, log: silentLog });
    if (!opened.ok) throw new Error(opened.error);
    open.push({ machine, reader: opened.value });
    return { machine, reader: opened.value };
  }

  afterEach(async () => {
    for (const { machine, reader } of open.splice(0)) {
      await reader[Symbol.asyncDispose]();
      machine.remove();
    }
  });

  it("tells what GPUs there are", async () => {
    const gpus = [
      fakeGpu(0),
      fakeGpu(1, { mode: 3 }),
      fakeGpu(2, { mode: 2 }),
      fakeGpu(3, { isDivided: true }),
    ];
    const { reader } = await reading(0, { gpus });
    expect(
      reader.gpus.map(({ index, model, capacityBytes, single, unusable }) => [
        index,
        model,
        capacityBytes / MIB,
        single,
        unusable,
      ]),
    ).toEqual([
      [0, "NVIDIA Fake 24GB", 24_064, false, undefined],
      [1, "NVIDIA Fake 24GB", 24_064, true, undefined],
      [2, "NVIDIA Fake 24GB", 24_064, false, "its compute mode is PROHIBITED"],
      [
        3,
        "NVIDIA Fake 24GB",
        24_064,
        false,
        "it is divided by MIG, and instances cannot be shared yet; nothing is put on it",
      ],
    ]);
  });

  it.each([16, 24, 32, 40])("understands process entries of %i bytes", async (stride) => {
    const { machine, reader } = await reading(2, { stride });
    const [first, second] = reader.gpus.map(({ id }) => id);
    machine.change({
      uses: [
        { gpu: first ?? "", pid: 4242, mib: 1000 },
        { gpu: first ?? "", pid: 4243, mib: 2000 },
        { gpu: first ?? "", pid: 4244, mib: 7 },
        { gpu: second ?? "", pid: 4245, mib: 5 },
      ],
    });
    const readings = await reader.read();
    expect(readings.map(({ processes }) => processes)).toEqual([
      [
        { pid: 4242, bytes: 1000 * MIB },
        { pid: 4243, bytes: 2000 * MIB },
        { pid: 4244, bytes: 7 * MIB },
      ],
      [{ pid: 4245, bytes: 5 * MIB }],
    ]);
    expect(readings[0]?.usedBytes).toBe(3007 * MIB);
  });

  it("knows that memory of a process may not be available", async () => {
    const { machine, reader } = await reading(1);
    machine.change({ uses: [{ gpu: reader.gpus[0]?.id ?? "", pid: 77, mib: -1 }] });
    expect((await reader.read())[0]?.processes).toEqual([{ pid: 77, bytes: undefined }]);
  });

  it("does not believe a process list that makes no sense", async () => {
    const { machine, reader } = await reading(1);
    machine.change({ uses: [{ gpu: reader.gpus[0]?.id ?? "", pid: 77, mib: 900_000 }] });
    expect((await reader.read())[0]?.processes).toBeUndefined();
  });

  it("does without the second version of the memory call", async () => {
    const { reader } = await reading(1, { hasMemoryV2: false });
    expect(reader.gpus[0]?.capacityBytes).toBe(24_576 * MIB);
    expect((await reader.read())[0]?.usedBytes).toBe(512 * MIB);
  });

  it("reports a GPU that the driver has lost and goes on with the others", async () => {
    const { machine, reader } = await reading(2);
    machine.change({ gpus: [fakeGpu(0, { load: -1 }), fakeGpu(1, { load: 40 })] });
    const [lost, other] = await reader.read();
    expect(lost?.lost).toBe("the driver has lost it");
    expect(other).toMatchObject({ load: 0.4, lost: undefined });
  });

  it("does not hold up anything else while the driver starts", async () => {
    const machine = new FakeMachine(1, { initWaits: true });
    setEnvironment("FAKE_NVML", machine.env["FAKE_NVML"] ?? "");
    const opening = openNvml({ env: machine.env, log: silentLog });
    // A start that held up this process would not let the driver start.
    setTimeout(() => machine.letStart(), 50);
    const opened = await opening;
    if (!opened.ok) throw new Error(opened.error);
    open.push({ machine, reader: opened.value });
  });

  it("says what is missing", async () => {
    const env = { FLOW_NVML_LIBRARY: "/nowhere/libnvidia-ml.so.1" };
    expect(await openNvml({ env, log: silentLog })).toEqual({
      ok: false,
      error: "the driver's library libnvidia-ml.so.1 was not found",
    });
  });
});

/** The library asks C's environment, which Node's `process.env` writes through to. */
function setEnvironment(name: string, value: string): void {
  process.env[name] = value;
}
