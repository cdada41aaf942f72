/**
 * Simulated GPUs for tests: the C stand-in of NVIDIA's library, built once, and the text file it
 * answers from.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const source = fileURLToPath(new URL("./fake-nvml.c", import.meta.url));

/** Path of the built library; built again only when its source has changed. */
function fakeNvml(): string {
  const digest = createHash("sha256").update(readFileSync(source)).digest("hex").slice(0, 12);
  const folder = join(tmpdir(), `flow-fake-nvml-${process.getuid?.() ?? 0}-${digest}`);
  const path = join(folder, "libnvidia-ml.so.1");
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}`;
  execFileSync("cc", ["-shared", "-fPIC", "-O1", "-o", draft, source]);
  renameSync(draft, path);
  return path;
}

export interface FakeGpu {
  readonly id: string;
  readonly model: string;
  readonly totalMib: number;
  readonly reservedMib: number;
  /** Percent; -1: the GPU is lost. */
  readonly load: number;
  /** As nvmlComputeMode: 0 default, 2 prohibited, 3 exclusive. */
  readonly mode: number;
  /** Divided by MIG. */
  readonly isDivided?: boolean;
}

interface FakeUse {
  readonly gpu: string;
  readonly pid: number;
  /** -1: not available. */
  readonly mib: number;
}

export interface FakeState {
  gpus: readonly FakeGpu[];
  uses: readonly FakeUse[];
  stride: number;
  /** Whether the driver starts only once {@link FakeMachine.letStart} was called. */
  initWaits: boolean;
  hasMemoryV2: boolean;
}

/** A machine with simulated GPUs. */
export class FakeMachine {
  readonly folder: string = mkdtempSync(join(tmpdir(), "flow-gpus-"));
  readonly #path = join(this.folder, "state");
  #state: FakeState;

  constructor(count: number, changes: Partial<FakeState> = {}) {
    const gpus = Array.from({ length: count }, (_, index) => fakeGpu(index));
    this.#state = { gpus, uses: [], stride: 24, initWaits: false, hasMemoryV2: true, ...changes };
    mkdirSync(`${this.#path}.d`);
    this.change({});
  }

  /** What a program needs to see these GPUs. */
  get env(): Readonly<Record<string, string>> {
    return {
      FLOW_NVML_LIBRARY: fakeNvml(),
      FAKE_NVML: this.#path,
      FLOW_GPU_STATE: join(this.folder, "broker"),
      FLOW_GPU_SOCKET: join(this.folder, "gpu.sock"),
    };
  }

  change(changes: Partial<FakeState>): void {
    this.#state = { ...this.#state, ...changes };
    const { gpus, uses, stride, initWaits, hasMemoryV2 } = this.#state;
    const lines = [
      `init_waits ${initWaits ? 1 : 0}`,
      `stride ${stride}`,
      `memory_v2 ${hasMemoryV2 ? 1 : 0}`,
      ...gpus.map((gpu) =>
        [
          "gpu",
          gpu.id,
          gpu.model.replaceAll(" ", "_"),
          gpu.totalMib,
          gpu.reservedMib,
          gpu.load,
          gpu.mode,
          gpu.isDivided === true ? 1 : 0,
        ].join(" "),
      ),
      ...uses.map(({ gpu, pid, mib }) => `use ${gpu} ${pid} ${mib}`),
    ];
    writeFileSync(`${this.#path}.new`, `${lines.join("\n")}\n`);
    renameSync(`${this.#path}.new`, this.#path);
  }

  letStart(): void {
    writeFileSync(`${this.#path}.go`, "");
  }

  remove(): void {
    // A broker that is just ending may still write.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}

/** A card of 24 GiB. */
export const fakeGpu = (index: number, changes: Partial<FakeGpu> = {}): FakeGpu => ({
  id: `GPU-0000000${index}-0000-0000-0000-000000000000`,
  model: "NVIDIA Fake 24GB",
  totalMib: 24_576,
  reservedMib: 512,
  load: 0,
  mode: 0,
  ...changes,
});
