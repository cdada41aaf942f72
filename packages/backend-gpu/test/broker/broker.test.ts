/** The broker as a process, with clients that live and die. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import {
  acquire,
  type Connection,
  findBroker,
  type HeldLease,
  obtain,
  serve,
} from "@flow/backend-gpu/client";
import { silentLog } from "@flow/core";
import { expect, it, vi } from "vitest";
import { BrokerRig } from "../../../../test/gpu/broker-rig.ts";
import { FakeMachine, fakeGpu } from "../../../../test/gpu/fake-gpus.ts";
import { systemSuite } from "../../../../test/rig/system.ts";

const GIB = 2 ** 30;
const TAKEN = "GPU 0: in use, and one of the two wants it alone";
const succeeded = { succeeded: true, outOfMemory: undefined } as const;

systemSuite("cc", "the broker", () => {
  it("grants a card, says why others wait, and passes it on", () =>
    using(1, async (rig) => {
      const first = await lease(rig, { alone: true });
      const why = deferred<string>();
      const second = acquire(await rig.connect(), request({}), {
        env: rig.env,
        onQueued: (text) => why.resolve(text),
      });
      expect(await why.promise).toBe(TAKEN);
      await first.release({ succeeded: true, outOfMemory: undefined });
      const granted = await second;
      expect(granted.ok).toBe(true);
    }));

  it("tells a job what it may take: what it asked for, a share of the card, or all of it", () =>
    using(2, async (rig) => {
      const taken: number[] = [];
      for (const changes of [{ bytes: 5 * GIB }, {}, { alone: true }, { gpus: 2 }]) {
        const held = await lease(rig, changes);
        taken.push(held.bytes);
        await held.release({ succeeded: true, outOfMemory: undefined });
      }
      const usable = (24_576 - 512) * 2 ** 20 * 0.98;
      expect(taken).toEqual([5 * GIB, usable / 2, usable, usable].map(Math.floor));
    }));

  it("refuses what no waiting would help", () =>
    using(2, async (rig) => {
      const options = { env: rig.env };
      const big = await acquire(await rig.connect(), request({ bytes: 40 * GIB }), options);
      expect(big.ok ? "" : big.error.message).toBe(
        "`job` asks for 40.0 GiB of GPU memory; the largest GPU can give 23.0 GiB.",
      );
      const many = await acquire(await rig.connect(), request({ gpus: 3 }), options);
      expect(many.ok ? "" : many.error.message).toBe("`job` asks for 3 GPUs; there are 2.");
      const other = await acquire(await rig.connect(), request({ model: "H100" }), options);
      expect(other.ok ? "" : other.error.message).toBe(
        "`job` asks for a GPU of model `H100`; there are 0.",
      );
    }));

  it("frees a lease when its holder is killed, not only when it looks again", async () => {
    const machine = new FakeMachine(1);
    const env = { ...process.env, ...machine.env };
    process.env["FAKE_NVML"] = machine.env["FAKE_NVML"];
    // A broker that never looks again, because no time passes for it.
    vi.useFakeTimers({ toFake: ["setTimeout", "setInterval"] });
    const serving = await serve({ env, log: silentLog, idleExitMs: undefined });
    if (!serving.ok) throw new Error(serving.error);
    try {
      const child = await holder(env);
      const waiting = acquire(await connected(env), request({ alone: true }), { env });
      child.kill("SIGKILL");
      expect((await waiting).ok).toBe(true);
    } finally {
      serving.value.stop();
      await serving.value.ended;
      vi.useRealTimers();
      machine.remove();
    }
  });

  it("keeps a lease while a process that closed the descriptor lives on", () =>
    using(1, async (rig) => {
      const held = await lease(rig, { alone: true });
      const env = { ...rig.env, FLOW_GPU_LEASE: held.id };
      const job = spawn("sleep", ["60"], { env: env as NodeJS.ProcessEnv, stdio: "ignore" });
      await once(job, "spawn");
      held.close();
      const leases = await leasesOf(await rig.connect());
      expect(leases).toMatchObject([{ id: held.id }]);
      job.kill("SIGKILL");
      await once(job, "exit");
      const next = await acquire(await rig.connect(), request({ alone: true }), { env: rig.env });
      expect(next.ok).toBe(true);
    }));

  it("knows its leases again after it was killed", () =>
    using(1, async (rig) => {
      const held = await lease(rig, { alone: true });
      const env = { ...rig.env, FLOW_GPU_LEASE: held.id };
      const job = spawn("sleep", ["60"], { env: env as NodeJS.ProcessEnv, stdio: "ignore" });
      await once(job, "spawn");
      const broker = await rig.pid();
      process.kill(broker, "SIGKILL");
      await gone(broker);
      const again = await rig.connect();
      expect(await leasesOf(again)).toMatchObject([{ id: held.id, label: "job" }]);
      job.kill("SIGKILL");
      await once(job, "exit");
    }));

  it("is asked again by those who wait when it was killed, and they keep their places", () =>
    using(1, async (rig) => {
      const held = await lease(rig, { alone: true });
      const order: string[] = [];
      const waiting: Promise<unknown>[] = [];
      const told: Promise<string>[] = [];
      let isKilled = false;
      for (const [label, sinceFirstMs] of [
        ["second", 0],
        ["first", 60_000],
      ] as const) {
        const [before, after] = [deferred<string>(), deferred<string>()];
        const got = obtain(request({ label, sinceFirstMs, alone: true }), {
          env: rig.env,
          // The next broker tells why, too.
          onQueued: (why) => {
            before.resolve(why);
            if (isKilled) after.resolve(why);
          },
        });
        waiting.push(
          got.then((granted) => {
            order.push(granted.ok ? label : granted.error.message);
            return granted.ok ? granted.value.release(succeeded) : undefined;
          }),
        );
        await before.promise;
        told.push(after.promise);
      }
      const job = spawn("sleep", ["60"], {
        env: { ...rig.env, FLOW_GPU_LEASE: held.id } as NodeJS.ProcessEnv,
        stdio: "ignore",
      });
      await once(job, "spawn");
      isKilled = true;
      process.kill(await rig.pid(), "SIGKILL");
      expect(await Promise.all(told)).toEqual([TAKEN, TAKEN]);
      held.close();
      job.kill("SIGKILL");
      await Promise.all(waiting);
      expect(order).toEqual(["first", "second"]);
    }));

  it("starts only once when many clients come at the same time", () =>
    using(2, async (rig) => {
      const pids = await Promise.all(Array.from({ length: 5 }, () => rig.pid()));
      expect(new Set(pids).size).toBe(1);
    }));

  it("takes back a request whose client goes away", () =>
    using(1, async (rig) => {
      await lease(rig, { alone: true });
      const controller = new AbortController();
      const waiting = acquire(await rig.connect(), request({}), {
        env: rig.env,
        signal: controller.signal,
        onQueued: () => controller.abort(),
      });
      expect((await waiting).ok).toBe(false);
      const connection = await rig.connect();
      connection.send({ m: "status" });
      expect(await connection.next("status")).toMatchObject({ queue: [] });
    }));

  it("lets a job that runs again keep its place", () =>
    using(1, async (rig) => {
      const first = await lease(rig, { alone: true });
      const order: string[] = [];
      const wait = async (name: string, changes: object): Promise<void> => {
        const queued = deferred<void>();
        const waiting = acquire(await rig.connect(), request({ alone: true, ...changes }), {
          env: rig.env,
          onQueued: () => queued.resolve(),
        });
        ends.push(
          waiting.then((granted) => {
            order.push(name);
            return granted.ok ? granted.value.release(failed) : undefined;
          }),
        );
        await queued.promise;
      };
      const ends: Promise<unknown>[] = [];
      const failed = { succeeded: false, outOfMemory: undefined };
      await wait("newcomer", {});
      await wait("again", { sinceFirstMs: 60_000 });
      await first.release(failed);
      await Promise.all(ends);
      expect(order).toEqual(["again", "newcomer"]);
    }));

  it("does not let a client release or rebind another's lease", () =>
    using(1, async (rig) => {
      const held = await lease(rig, {});
      const other = await rig.connect();
      other.send({ m: "release", lease: held.id, succeeded: true });
      expect(await other.next()).toMatchObject({ m: "error", code: "DENIED" });
      other.send({ m: "rebind", lease: held.id, secret: "guess" });
      expect(await other.next()).toMatchObject({ m: "error", code: "DENIED" });
    }));

  it("closes the connection of a client that talks nonsense", () =>
    using(1, async (rig) => {
      const connection = await rig.connect();
      connection.send({ m: "acquire" } as never);
      expect(await connection.next()).toMatchObject({
        code: "BAD_REQUEST",
        message: "`acquire` has a wrong field.",
      });
    }));

  it("counts the memory of processes that it does not know", () =>
    using(1, async (rig) => {
      const id = (await lease(rig, {})).cards[0]?.id ?? "";
      rig.machine.change({ uses: [{ gpu: id, pid: process.pid, mib: 20_000 }] });
      await expect.poll(() => foreignBytes(rig), { timeout: 60_000 }).toBeGreaterThan(0);
      const why = deferred<string>();
      const controller = new AbortController();
      const waiting = acquire(await rig.connect(), request({ bytes: 8 * GIB }), {
        env: rig.env,
        signal: controller.signal,
        onQueued: (text) => {
          if (text.includes("not ours")) why.resolve(text);
        },
      });
      expect(await why.promise).toMatch(
        /^GPU 0: needs 8\.0 GiB, .* held by pid \d+ .* \(.*\), not ours$/,
      );
      controller.abort();
      await waiting;
    }));

  it("puts nothing on a drained GPU", () =>
    using(2, async (rig) => {
      const connection = await rig.connect();
      connection.send({ m: "drain", gpu: "0", on: true });
      await connection.next("done");
      const held = await lease(rig, {});
      expect(held.cards.map(({ index }) => index)).toEqual([1]);
    }));

  it("puts one job on a card in exclusive mode, and none on a card that is divided or out of use", async () => {
    const rig = await BrokerRig.make(0, {
      gpus: [
        fakeGpu(0, { isDivided: true }),
        fakeGpu(1, { mode: 2 }),
        fakeGpu(2, { load: -1 }),
        fakeGpu(3, { mode: 3 }),
      ],
    });
    try {
      const first = await lease(rig, { bytes: GIB });
      expect(first.cards.map(({ index }) => index)).toEqual([3]);
      const why = deferred<string>();
      const second = acquire(await rig.connect(), request({ bytes: GIB }), {
        env: rig.env,
        onQueued: (text) => why.resolve(text),
      });
      expect(await why.promise).toBe(
        "GPU 0: it is divided by MIG, and instances cannot be shared yet; nothing is put on it; " +
          "GPU 1: its compute mode is PROHIBITED; GPU 2: the driver has lost it; " +
          "GPU 3: in use, and its mode (EXCLUSIVE_PROCESS) allows one process at a time",
      );
      await first.release({ succeeded: true, outOfMemory: undefined });
      expect((await second).ok).toBe(true);
      const options = { env: rig.env };
      const two = await acquire(await rig.connect(), request({ gpus: 2 }), options);
      expect(two.ok ? "" : two.error.message).toBe("`job` asks for 2 GPUs; there are 1.");
    } finally {
      await rig[Symbol.asyncDispose]();
    }
  });

  it("learns what a job needs and knows it after a restart", () =>
    using(1, async (rig) => {
      const held = await lease(rig, { keys: ["cmd train"] });
      rig.machine.change({ uses: [] });
      const marked = spawn("sleep", ["60"], {
        env: { ...rig.env, FLOW_GPU_LEASE: held.id } as NodeJS.ProcessEnv,
        stdio: "ignore",
      });
      await once(marked, "spawn");
      const gpu = held.cards[0]?.id ?? "";
      rig.machine.change({ uses: [{ gpu, pid: marked.pid ?? 0, mib: 3000 }] });
      await expect
        .poll(async () => (await leasesOf(await rig.connect()))[0]?.observedBytes, {
          timeout: 60_000,
        })
        .toBe(3000 * 2 ** 20);
      const verdict = await held.release({ succeeded: true, outOfMemory: undefined });
      expect(verdict).toEqual({ type: "ok", peakBytes: 3000 * 2 ** 20 });
      marked.kill("SIGKILL");
      const broker = await rig.pid();
      process.kill(broker, "SIGTERM");
      await gone(broker);
      await expect
        .poll(
          async () => {
            const connection = await rig.connect();
            connection.send({ m: "profile" });
            const answer = await connection.next("profile");
            return answer?.m === "profile" ? answer.rows.map(([key]) => key) : [];
          },
          { timeout: 60_000 },
        )
        .toEqual(["cmd train"]);
    }));
});

async function foreignBytes(rig: BrokerRig): Promise<number> {
  const connection = await rig.connect();
  connection.send({ m: "status" });
  const answer = await connection.next("status");
  connection.close();
  return answer?.m === "status" ? (answer.cards[0]?.foreignBytes ?? 0) : 0;
}

/** Runs a test with a broker over so many cards. */
async function using(gpus: number, test: (rig: BrokerRig) => Promise<void>): Promise<void> {
  const rig = await BrokerRig.make(gpus);
  try {
    await test(rig);
  } finally {
    await rig[Symbol.asyncDispose]();
  }
}

const request = (changes: object): { label: string; keys: string[] } => ({
  label: "job",
  keys: ["k"],
  ...changes,
});

async function lease(rig: BrokerRig, changes: object): Promise<HeldLease> {
  const granted = await acquire(await rig.connect(), request(changes), { env: rig.env });
  if (!granted.ok) throw new Error(granted.error.message);
  return granted.value;
}

async function leasesOf(connection: Connection) {
  connection.send({ m: "status" });
  const answer = await connection.next("status");
  connection.close();
  return answer?.m === "status" ? answer.leases : [];
}

async function connected(env: NodeJS.ProcessEnv): Promise<Connection> {
  const found = await findBroker(env);
  if (!found.ok) throw new Error(found.error);
  return found.value;
}

/** A process that holds the only card by its connection alone. */
async function holder(env: NodeJS.ProcessEnv): Promise<ChildProcess> {
  const script = `
import json, os, socket, time
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ["FLOW_GPU_SOCKET"])
s.sendall(json.dumps({"m": "acquire", "proto": 1, "label": "py", "keys": ["k"], "alone": True}).encode() + b"\\n")
f = s.makefile()
while json.loads(f.readline())["m"] != "granted": pass
print("held", flush=True)
time.sleep(60)
`;
  const child = spawn("python3", ["-c", script], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  return child;
}

/** Waits until a process is gone. */
const gone = (pid: number) =>
  expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 60_000 }).toBe(false);

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
