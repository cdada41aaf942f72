// NVML, the library of NVIDIA's driver, called without a native build. Every call runs on a thread of
// its own: starting the driver may take seconds.

import { freemem, totalmem } from "node:os";
import { err, type Log, ok, type Result } from "@flow/core";
import { type ForeignFunction, type Library, loadBridge } from "./bridge.ts";
import { processesIn } from "./process-list.ts";
import type { Gpu, GpuReading, Reader, ReaderOptions } from "./reader.ts";
import { MIG_REASON } from "./unsupported.ts";

type Call = (...args: readonly (Buffer | bigint | number)[]) => Promise<number>;

const NAMES = ["libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1"];

const NOT_SUPPORTED = 3;
const GONE: ReadonlyMap<number, string> = new Map([
  [15, "the driver has lost it"],
  [16, "it must be reset"],
  [28, "it has been removed"],
]);

/** Most processes looked at on one GPU. */
const PROCESSES = 256;
/** Topology level of two GPUs on one host bridge. */
const HOST_BRIDGE = 30;

/** Opens NVML; fails with a phrase that says what is missing. */
export async function openNvml({ env, log }: ReaderOptions): Promise<Result<Reader, string>> {
  const bridge = await loadBridge();
  if (bridge === undefined)
    return err("the package koffi, which calls the driver, is not installed");
  const names = env["FLOW_NVML_LIBRARY"] === undefined ? NAMES : [env["FLOW_NVML_LIBRARY"]];
  for (const name of names) {
    let library: Library;
    try {
      library = bridge.load(name);
    } catch {
      continue;
    }
    const nvml = new Nvml(library, log);
    const failure = await nvml.start();
    if (failure === undefined) return ok(nvml);
    return err(failure);
  }
  return err("the driver's library libnvidia-ml.so.1 was not found");
}

interface Device {
  readonly handle: bigint;
  gpu: Gpu;
}

class Nvml implements Reader {
  readonly source = "nvml";
  readonly #calls: Calls;
  readonly #log: Log;
  #devices: readonly Device[] = [];
  #hasWarned = false;

  constructor(library: Library, log: Log) {
    this.#calls = new Calls(library);
    this.#log = log;
  }

  get gpus(): readonly Gpu[] {
    return this.#devices.map(({ gpu }) => gpu);
  }

  /** Undefined when it works; else a phrase that says what does not. */
  async start(): Promise<string | undefined> {
    const code = await this.#calls.call("nvmlInit_v2")();
    if (code !== 0) return `the driver does not start (NVML error ${code})`;
    const count = Buffer.alloc(4);
    if ((await this.#calls.call("nvmlDeviceGetCount_v2", "p")(count)) !== 0)
      return "the driver does not tell how many GPUs there are";
    const devices: Device[] = [];
    for (let index = 0; index < count.readUInt32LE(0); index++) {
      const device = await this.#open(index, devices);
      if (device !== undefined) devices.push(device);
    }
    this.#devices = devices;
    return devices.length === 0 ? "the driver knows no GPU" : undefined;
  }

  async read(): Promise<readonly GpuReading[]> {
    const readings: GpuReading[] = [];
    for (const device of this.#devices) readings.push(await this.#read(device));
    return readings;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#calls.call("nvmlShutdown")();
  }

  async #open(index: number, before: readonly Device[]): Promise<Device | undefined> {
    const out = Buffer.alloc(8);
    const opened = await this.#calls.call("nvmlDeviceGetHandleByIndex_v2", "up")(index, out);
    if (opened !== 0) {
      this.#log.warn(`GPU ${index} cannot be opened (NVML error ${opened}); it is left out.`);
      return undefined;
    }
    const handle = out.readBigUInt64LE(0);
    const memory = await this.#memory(handle);
    const mode = (await this.#number("nvmlDeviceGetComputeMode", handle)) ?? 0;
    const mig = (await this.#number("nvmlDeviceGetMigMode", handle, 2)) ?? 0;
    const gpu: Gpu = {
      id: (await this.#text("nvmlDeviceGetUUID", handle)) ?? `GPU-${index}`,
      index,
      model: (await this.#text("nvmlDeviceGetName", handle)) ?? "NVIDIA GPU",
      capacityBytes: memory.totalBytes - memory.reservedBytes,
      single: mode === 1 || mode === 3,
      unusable: unusable(mode, mig),
      group: await this.#group(handle, index, before),
    };
    return { handle, gpu };
  }

  async #read({ handle, gpu }: Device): Promise<GpuReading> {
    const rates = Buffer.alloc(8);
    const rated = await this.#calls.call("nvmlDeviceGetUtilizationRates", "hp")(handle, rates);
    const memory = await this.#memory(handle);
    const gone = GONE.get(memory.code) ?? GONE.get(rated);
    if (gone !== undefined) return lostReading(gpu.id, gone);
    return {
      id: gpu.id,
      usedBytes: memory.usedBytes,
      load: rated === 0 ? rates.readUInt32LE(0) / 100 : undefined,
      processes: await this.#processes(handle, gpu),
      lost: undefined,
    };
  }

  /** Version 2 tells what the driver keeps for itself; devices without memory of their own use the machine's. */
  async #memory(handle: bigint): Promise<Memory> {
    const second = Buffer.alloc(40);
    second.writeUInt32LE(40 | (2 << 24), 0);
    const code = await this.#calls.call("nvmlDeviceGetMemoryInfo_v2", "hp")(handle, second);
    if (code === 0 && bytesAt(second, 8) > 0)
      return {
        code,
        totalBytes: bytesAt(second, 8),
        reservedBytes: bytesAt(second, 16),
        usedBytes: bytesAt(second, 32),
      };
    const first = Buffer.alloc(24);
    const old = await this.#calls.call("nvmlDeviceGetMemoryInfo", "hp")(handle, first);
    if (old === 0 && bytesAt(first, 0) > 0)
      return {
        code: old,
        totalBytes: bytesAt(first, 0),
        reservedBytes: 0,
        usedBytes: bytesAt(first, 16),
      };
    if (GONE.has(old)) return { code: old, totalBytes: 0, reservedBytes: 0, usedBytes: undefined };
    return {
      code: NOT_SUPPORTED,
      totalBytes: totalmem(),
      reservedBytes: 0,
      usedBytes: totalmem() - freemem(),
    };
  }

  async #processes(handle: bigint, gpu: Gpu): Promise<GpuReading["processes"]> {
    const count = Buffer.alloc(4);
    const list = Buffer.alloc(PROCESSES * 40, SENTINEL);
    for (const version of ["_v3", "_v2", ""]) {
      const name = `nvmlDeviceGetComputeRunningProcesses${version}`;
      if (!this.#calls.has(name)) continue;
      count.writeUInt32LE(PROCESSES, 0);
      list.fill(SENTINEL);
      const code = await this.#calls.call(name, "hpp")(handle, count, list);
      if (code !== 0) return undefined;
      const found = processesIn(list, count.readUInt32LE(0), SENTINEL, gpu.capacityBytes * 1.1);
      if (found !== undefined) return found;
      if (!this.#hasWarned)
        this.#log.warn(
          `${name} answers in a form that is not known; jobs are told apart by card only.`,
        );
      this.#hasWarned = true;
    }
    return undefined;
  }

  async #group(handle: bigint, index: number, before: readonly Device[]): Promise<string> {
    const level = Buffer.alloc(4);
    for (const { handle: other, gpu } of before) {
      const name = "nvmlDeviceGetTopologyCommonAncestor";
      const code = await this.#calls.call(name, "hhp")(handle, other, level);
      if (code === 0 && level.readUInt32LE(0) <= HOST_BRIDGE) return gpu.group;
    }
    return `bridge of GPU ${index}`;
  }

  async #text(name: string, handle: bigint): Promise<string | undefined> {
    const text = Buffer.alloc(96);
    const code = await this.#calls.call(name, "hpu")(handle, text, text.length);
    return code === 0 ? text.toString("latin1", 0, text.indexOf(0)) : undefined;
  }

  async #number(name: string, handle: bigint, outputs = 1): Promise<number | undefined> {
    const first = Buffer.alloc(4);
    const rest = Array.from({ length: outputs - 1 }, () => Buffer.alloc(4));
    const code = await this.#calls.call(name, `h${"p".repeat(outputs)}`)(handle, first, ...rest);
    return code === 0 ? first.readUInt32LE(0) : undefined;
  }
}

/** Fills buffers before a call, to see how far it wrote. */
const SENTINEL = 0xa5;

interface Memory {
  readonly code: number;
  readonly totalBytes: number;
  readonly reservedBytes: number;
  readonly usedBytes: number | undefined;
}

const bytesAt = (buffer: Buffer, offset: number): number => Number(buffer.readBigUInt64LE(offset));

const lostReading = (id: string, lost: string): GpuReading => ({
  id,
  usedBytes: undefined,
  load: undefined,
  processes: undefined,
  lost,
});

function unusable(mode: number, mig: number): string | undefined {
  if (mode === 2) return "its compute mode is PROHIBITED";
  return mig === 1 ? MIG_REASON : undefined;
}

/** The library's functions by name and kinds of parameters: h handle, p pointer, u unsigned. */
class Calls {
  readonly #library: Library;
  readonly #functions = new Map<string, Call | undefined>();

  constructor(library: Library) {
    this.#library = library;
  }

  has(name: string): boolean {
    return this.#find(name, "hpp") !== undefined;
  }

  /** A function that the library lacks answers that it is not supported. */
  call(name: string, kinds = ""): Call {
    return this.#find(name, kinds) ?? (() => Promise.resolve(NOT_SUPPORTED));
  }

  #find(name: string, kinds: string): Call | undefined {
    if (!this.#functions.has(name)) this.#functions.set(name, this.#bind(name, kinds));
    return this.#functions.get(name);
  }

  #bind(name: string, kinds: string): Call | undefined {
    const types = [...kinds].map((kind) => TYPES[kind] ?? "void *");
    let bound: ForeignFunction;
    try {
      bound = this.#library.func(name, "int", types);
    } catch {
      return undefined;
    }
    return (...args) =>
      new Promise((resolve, reject) => {
        bound.async(...args, (error: Error | null, code: number) => {
          if (error === null) resolve(code);
          else reject(error);
        });
      });
  }
}

/** A handle is a pointer; as a number of its size it passes through calls unchanged. */
const TYPES: Readonly<Record<string, string>> = { h: "uint64_t", p: "void *", u: "unsigned int" };
