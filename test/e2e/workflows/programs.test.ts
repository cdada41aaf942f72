/**
 * The example programs by hand, with the variables that flow would set: they must keep the script
 * contract and be right before any engine starts them. What the engine adds is tested next door.
 */
import type { ChildProcessByStdio } from "node:child_process";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const workflows = fileURLToPath(new URL("../../../workflows", import.meta.url));
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "flow-programs-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly lines: readonly string[];
}

/** Runs a program to its end; `onLine` sees each line of its output while it still runs. */
async function run(
  argv: readonly [string, ...string[]],
  env: Readonly<Record<string, string>> = {},
  onLine: (line: string, child: ChildProcessByStdio<null, Readable, Readable>) => void = () => {},
): Promise<Ended> {
  const [command, ...rest] = argv;
  const child = spawn(command, rest, {
    cwd: workflows,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      onLine(line, child);
    });
  }
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      resolve({ code, signal, lines });
    });
  });
}

function node(program: string, ...rest: readonly string[]): readonly [string, ...string[]] {
  return [process.execPath, program, ...rest];
}

/** The variables of one task whose attempts share a checkpoint folder. */
function contract(name: string): {
  readonly stopFile: string;
  readonly env: Record<string, string>;
} {
  const task = join(folder, name);
  mkdirSync(join(task, "checkpoint"), { recursive: true });
  const stopFile = join(task, "stop");
  return {
    stopFile,
    env: {
      FLOW: "1",
      FLOW_CHECKPOINT_DIR: join(task, "checkpoint"),
      FLOW_EVENTS: join(task, "events.jsonl"),
      FLOW_STOP_FILE: stopFile,
      FLOW_EXIT_REQUEUE: "75",
    },
  };
}

interface Event {
  readonly k: string;
  readonly [field: string]: unknown;
}

function eventsOf(env: Readonly<Record<string, string>>): readonly Event[] {
  const lines = readFileSync(env["FLOW_EVENTS"] ?? "", "utf8")
    .trimEnd()
    .split("\n");
  return lines.map((line): Event => JSON.parse(line));
}

describe("fetch", () => {
  let mirror: Server;
  let address: string;

  beforeAll(async () => {
    // Answers below /wrong with other bytes and below /silent not at all.
    mirror = createServer((request, response) => {
      if (request.url?.startsWith("/wrong") === true) response.end("not MNIST");
    });
    await new Promise<void>((resolve) => mirror.listen(0, "127.0.0.1", resolve));
    address = `http://127.0.0.1:${(mirror.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    mirror.closeAllConnections();
    mirror.close();
  });

  function fetchInto(out: string, ...rest: readonly string[]): readonly [string, ...string[]] {
    return node("mnist/fetch.mjs", "--out", out, "--train", "50", "--test", "10", ...rest);
  }

  it("makes digits and says so when the mirror does not answer in time", async () => {
    const out = join(folder, "silent");
    const { code, lines } = await run(fetchInto(out, "--mirror", `${address}/silent`));
    expect(code).toBe(0);
    expect(lines).toEqual(["source: made digits, seed 1 (download: not done after 4500 ms)"]);
    expect(JSON.parse(readFileSync(join(out, "source.json"), "utf8"))).toEqual({
      kind: "made",
      seed: 1,
      train: 50,
      test: 10,
    });
  });

  it("never takes files whose checksum is wrong", async () => {
    const wrong = fetchInto(
      join(folder, "wrong"),
      "--mirror",
      `${address}/wrong`,
      "--source",
      "real",
    );
    const { code, lines } = await run(wrong);
    expect(code).toBe(1);
    expect(lines.join("\n")).toMatch(
      /^the real MNIST could not be downloaded: http:\S+: \S+: SHA-256 is \w{64}, expected \w{64}$/,
    );
  });

  it("makes the same bytes from the same seed and others from another", async () => {
    const images = ["1", "1", "2"].map(async (seed, index) => {
      const out = join(folder, `seed-${index}`);
      await run(fetchInto(out, "--source", "made", "--seed", seed));
      return readFileSync(join(out, "train-images-idx3-ubyte.gz"), "base64");
    });
    const [first, again, other] = await Promise.all(images);
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });
});

describe("train", () => {
  const data = (): string => join(folder, "prepared");
  const train = (out: string): readonly [string, ...string[]] => {
    const options = ["--model", "cnn", "--epochs", "5", "--step-size", "0.02"];
    return node("mnist/train.mjs", "--data", data(), "--out", join(folder, out), ...options);
  };

  beforeAll(async () => {
    const raw = join(folder, "raw");
    await run(
      node("mnist/fetch.mjs", "--out", raw, "--source", "made", "--train", "700", "--test", "100"),
    );
    const prepared = await run(
      node(
        "mnist/prepare.mjs",
        "--raw",
        raw,
        "--out",
        data(),
        "--train",
        "600",
        "--validation",
        "100",
      ),
    );
    expect(prepared.lines).toEqual([
      "train: 600 digits",
      "validation: 100 digits",
      "test: 100 digits",
    ]);
  });

  it("ends with the same weights when it was stopped, killed and resumed as when it was not", async () => {
    await run(train("undisturbed"));

    const { stopFile, env } = contract("train");
    const stopped = await run(train("disturbed"), env, (line) => {
      if (line.startsWith("epoch 1/5")) writeFileSync(stopFile, "{}");
    });
    expect(stopped.code).toBe(75);
    expect(stopped.lines.at(-1)).toMatch(/^asked to stop: saved at batch \d+ of 90$/);
    rmSync(stopFile);

    const killed = await run(train("disturbed"), env, (line, child) => {
      if (line.startsWith("epoch 3/5")) child.kill("SIGKILL");
    });
    expect(killed.signal).toBe("SIGKILL");

    const finished = await run(train("disturbed"), env);
    expect(finished.code).toBe(0);
    expect(finished.lines[0]).toMatch(/^resuming from batch \d+$/);
    expect(
      readFileSync(join(folder, "disturbed")).equals(readFileSync(join(folder, "undisturbed"))),
    ).toBe(true);
  });

  it("reports progress, metrics and checkpoints as events", async () => {
    const { env } = contract("events");
    await run(train("watched"), env);
    const events = eventsOf(env);
    expect(events.filter(({ k }) => k === "metrics").map((event) => event["step"])).toEqual([
      1, 2, 3, 4, 5,
    ]);
    expect(events.filter(({ k }) => k === "checkpoint").map((event) => event["step"])).toEqual([
      18, 36, 54, 72, 90,
    ]);
    expect(events.at(-1)).toEqual({
      k: "progress",
      done: 90,
      total: 90,
      unit: "batch",
      msg: "epoch 5",
    });
  });
});

interface Layer {
  readonly inputs: number;
  readonly outputs: number;
  readonly weightCount: number;
  forward(weights: Float32Array, input: Float32Array, output: Float32Array): void;
  backward(
    weights: Float32Array,
    gradients: Float32Array,
    input: Float32Array,
    output: Float32Array,
    outputGradient: Float32Array,
    inputGradient: Float32Array,
  ): void;
}

describe("layers", () => {
  const shape = { channels: 2, width: 7, filters: 3, kernel: 3, stride: 2 };
  const layers: Readonly<
    Record<string, (module: Record<string, (...args: unknown[]) => Layer>) => Layer | undefined>
  > = {
    dense: (module) => module["dense"]?.(5, 4),
    convolution: (module) => module["convolution"]?.(shape),
    "convolution with an odd filter size": (module) =>
      module["convolution"]?.({ ...shape, channels: 1 }),
    rectify: (module) => module["rectify"]?.(6),
    maxPool: (module) => module["maxPool"]?.(2, 4),
  };

  for (const [name, create] of Object.entries(layers)) {
    it(`has the gradients that small changes show: ${name}`, async () => {
      const module = await import(pathToFileURL(join(workflows, "mnist/layers.mjs")).href);
      const layer = create(module);
      if (layer === undefined) throw new Error(`layers.mjs has no ${name}`);
      const numbers = (count: number, phase: number): Float32Array =>
        Float32Array.from({ length: count }, (_, i) => Math.sin(7 * i + phase));
      const weights = numbers(layer.weightCount, 1);
      const input = numbers(layer.inputs, 2);
      const wanted = numbers(layer.outputs, 3);
      const output = new Float32Array(layer.outputs);
      /** A number that depends on every output; its slope in output o is wanted[o]. */
      const score = (): number => {
        layer.forward(weights, input, output);
        return output.reduce((sum, value, o) => sum + value * (wanted[o] ?? 0), 0);
      };
      score();
      const gradients = new Float32Array(layer.weightCount);
      const inputGradient = new Float32Array(layer.inputs);
      layer.backward(weights, gradients, input, output, wanted, inputGradient);

      const slopes = (values: Float32Array): number[] =>
        Array.from(values, (value, i) => {
          const step = 2 ** -6;
          values[i] = value + step;
          const above = score();
          values[i] = value - step;
          const below = score();
          values[i] = value;
          return (above - below) / (2 * step);
        });
      for (const [found, expected] of [
        [gradients, slopes(weights)],
        [inputGradient, slopes(input)],
      ] as const) {
        expect(found.length).toBe(expected.length);
        expected.forEach((slope, i) => {
          expect(found[i]).toBeCloseTo(slope, 3);
        });
      }
    });
  }
});

describe("micro-mnist", () => {
  it("goes on after the last finished step and ends as if nothing had happened", async () => {
    const program = node("micro-mnist/micro-mnist.mjs");
    const env = (name: string): Record<string, string> => ({
      XT_OUTPUT_MNT: join(folder, name),
      STEP_SECONDS: "0.01",
    });
    await run(program, env("calm"));
    const killed = await run(program, { ...env("killed"), STEP_SECONDS: "0.5" }, (line, child) => {
      if (line.startsWith("step 3 of 10")) child.kill("SIGKILL");
    });
    const last = Number(/^step (\d) of 10/.exec(killed.lines.at(-1) ?? "")?.[1]);
    const { lines } = await run(program, env("killed"));
    // A checkpoint is there before its line.
    const next = [last + 1, last + 2].map((step) => `resuming from step ${step}`);
    expect(next).toContain(lines[0]);
    expect(readFileSync(join(folder, "killed/checkpoint.json"), "utf8")).toBe(
      readFileSync(join(folder, "calm/checkpoint.json"), "utf8"),
    );
  });
});

describe("preempt", () => {
  const hasPython = spawnSync("python3", ["--version"]).status === 0;
  const ways = [
    { way: "sh", argv: ["sh", "preempt/count.sh"], available: true },
    { way: "node", argv: [process.execPath, "preempt/count.mjs"], available: true },
    { way: "python", argv: ["python3", "preempt/count.py"], available: hasPython },
  ] as const;

  for (const { way, argv, available } of ways) {
    it.skipIf(!available)(`counts on after a stop request in ${way}`, async () => {
      const { stopFile, env } = contract(`count-${way}`);
      const out = join(folder, `count-${way}.txt`);
      const count = [...argv, "6", out] as const;

      writeFileSync(join(env["FLOW_CHECKPOINT_DIR"] ?? "", "count"), "2\n");
      const stopped = await run(count, { ...env, PAUSE: "1" }, (line, child) => {
        if (line !== "resuming from 2") return;
        writeFileSync(stopFile, "{}");
        child.kill("SIGTERM");
      });
      expect(stopped.code).toBe(75);
      expect(stopped.lines.at(-1)).toMatch(/^asked to stop at [23]$/);
      rmSync(stopFile);

      const finished = await run(count, { ...env, PAUSE: "0" });
      expect(finished.code).toBe(0);
      expect(readFileSync(out, "utf8")).toBe("6\n");
      expect(eventsOf(env).at(-1)).toEqual({ k: "progress", done: 6, total: 6 });
    });
  }
});
