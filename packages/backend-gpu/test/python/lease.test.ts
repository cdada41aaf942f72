/** The Python side of GPU sharing, with real processes that end in every way. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { acquire } from "@flow/backend-gpu/client";
import { expect, it } from "vitest";
import { BrokerRig } from "../../../../test/gpu/broker-rig.ts";
import { systemSuite } from "../../../../test/rig/system.ts";

/** The folder of flow_task.py. */
const helper = fileURLToPath(new URL("../../../task-py/python", import.meta.url));

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(rig: BrokerRig, text: string): { child: ChildProcess; ended: Promise<Outcome> } {
  const folder = mkdtempSync(join(tmpdir(), "flow-py-"));
  const script = join(folder, "train.py");
  writeFileSync(
    script,
    `import sys\nsys.path.insert(0, ${JSON.stringify(helper)})\nsys.dont_write_bytecode = True\nimport flow_task as flow\nimport os, time\n${text}`,
  );
  const child = spawn("python3", [script], {
    env: rig.env as NodeJS.ProcessEnv,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = once(child, "close").then(([code]): Outcome => {
    rmSync(folder, { recursive: true });
    return { code: code as number | null, stdout, stderr };
  });
  return { child, ended };
}

async function using(test: (rig: BrokerRig) => Promise<void>): Promise<void> {
  const rig = await BrokerRig.make(1);
  (await rig.connect()).close();
  try {
    await test(rig);
  } finally {
    await rig[Symbol.asyncDispose]();
  }
}

/** Resolves when the whole card can be had. */
async function takeAll(rig: BrokerRig): Promise<void> {
  const request = { label: "all", keys: ["all"], alone: true };
  const granted = await acquire(await rig.connect(), request, { env: rig.env });
  if (!granted.ok) throw new Error(granted.error.message);
  await granted.value.release({ succeeded: true, outOfMemory: undefined });
}

const HOLD = 'with flow.lease(alone=True):\n    print("held", flush=True)\n    time.sleep(60)\n';

systemSuite(["cc", "python"], "leases in Python", () => {
  it("show the granted GPU inside the block and nothing after it", () =>
    using(async (rig) => {
      const { ended } = start(
        rig,
        'with flow.lease() as held:\n    print(held.gpus[0] == os.environ["CUDA_VISIBLE_DEVICES"], os.environ["CUDA_DEVICE_ORDER"])\nprint("CUDA_VISIBLE_DEVICES" in os.environ)\n',
      );
      expect(await ended).toEqual({ code: 0, stdout: "True PCI_BUS_ID\nFalse\n", stderr: "" });
      await takeAll(rig);
    }));

  it("wait for each other", () =>
    using(async (rig) => {
      const text =
        "with flow.lease(alone=True):\n    print(time.time()); time.sleep(0.2); print(time.time())\n";
      const runs = await Promise.all([1, 2, 3].map(() => start(rig, text).ended));
      const spans = runs
        .map(({ stdout }) => stdout.trim().split("\n").map(Number))
        .sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
      for (const [at, span] of spans.entries())
        if (at > 0) expect(span[0]).toBeGreaterThanOrEqual(spans[at - 1]?.[1] ?? Infinity);
    }));

  it.each(["SIGKILL", "SIGTERM", "SIGINT"] as const)("are free after %s", (signal) =>
    using(async (rig) => {
      const { child, ended } = start(rig, HOLD);
      await once(child.stdout as NodeJS.ReadableStream, "data");
      child.kill(signal);
      await ended;
      await takeAll(rig);
    }),
  );

  it("are free whenever their process is killed", () =>
    using(async (rig) => {
      for (const delayMs of [0, 20, 40, 60, 80, 100, 130, 160, 200]) {
        const { child, ended } = start(rig, HOLD);
        await new Promise((resolve) => setTimeout(resolve, delayMs));
        child.kill("SIGKILL");
        await ended;
      }
      await takeAll(rig);
    }));

  it("last as long as a forked child", () =>
    using(async (rig) => {
      const { child, ended } = start(
        rig,
        "held = flow.lease(alone=True)\nheld.__enter__()\nif os.fork() == 0:\n    print(os.getpid(), flush=True)\n    time.sleep(60)\nos._exit(0)\n",
      );
      const [data] = (await once(child.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
      const connection = await rig.connect();
      let waiting: ReturnType<typeof acquire> | undefined;
      const first = await new Promise((resolve) => {
        waiting = acquire(
          connection,
          { label: "all", keys: ["all"], alone: true },
          { env: rig.env, onQueued: () => resolve("waits") },
        );
        void waiting.then(() => resolve("granted"));
      });
      expect(first).toBe("waits");
      process.kill(Number(data.toString()), "SIGKILL");
      await ended;
      expect((await waiting)?.ok).toBe(true);
    }));

  it.each(["SIGUSR1", "SIGKILL"] as const)("outlive the broker until %s ends them", (signal) =>
    using(async (rig) => {
      const { child, ended } = start(
        rig,
        'import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])\nwith flow.lease(alone=True):\n    print("held", flush=True)\n    signal.sigwait([signal.SIGUSR1])\nsignal.sigwait([signal.SIGUSR1])\n',
      );
      await once(child.stdout as NodeJS.ReadableStream, "data");
      const broker = await rig.pid();
      process.kill(broker, "SIGKILL");
      await expect.poll(() => existsSync(`/proc/${broker}`), { timeout: 60_000 }).toBe(false);
      const again = await rig.connect();
      again.send({ m: "status" });
      expect(await again.next("status")).toMatchObject({
        leases: [{ label: "train.py", state: "orphan" }],
      });
      child.kill(signal);
      // The end of the block is told to the new broker, though the process lives on.
      await takeAll(rig);
      if (signal === "SIGUSR1") expect([child.exitCode, child.signalCode]).toEqual([null, null]);
      child.kill("SIGKILL");
      await ended;
    }),
  );

  it("let exceptions pass", () =>
    using(async (rig) => {
      const { ended } = start(
        rig,
        '@flow.gpu_load_balance()\ndef train(rate):\n    raise RuntimeError("CUDA out of memory")\ntrain(0.1)\n',
      );
      const { code, stderr } = await ended;
      expect(code).toBe(1);
      expect(stderr.trim().split("\n").at(-1)).toBe("RuntimeError: CUDA out of memory");
    }));

  it("run a stand-in once to learn what the function needs", () =>
    using(async (rig) => {
      const { ended } = start(
        rig,
        '@flow.gpu_load_balance\ndef train(rate):\n    print("train", rate, os.environ["FLOW_GPU_COUNT"])\n    return rate * 2\n@train.profile\ndef short(rate):\n    print("short", rate)\nprint(train(0.5))\n',
      );
      expect((await ended).stdout).toBe("short 0.5\ntrain 0.5 1\n1.0\n");
    }));

  it("say what is wrong when there is no broker", async () => {
    const rig = await BrokerRig.make(1);
    const { ended } = start(
      rig,
      'os.environ["PATH"] = ""\ntry:\n    flow.lease().__enter__()\nexcept flow.GpuError as error:\n    print(error)\nwith flow.lease(required=False) as held:\n    print(held.gpus)\n',
    );
    expect((await ended).stdout).toBe(
      "no GPU broker can be reached ([Errno 2] No such file or directory); start one with `flow gpu start`\n[]\n",
    );
    await rig[Symbol.asyncDispose]();
  });
});
