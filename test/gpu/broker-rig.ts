/** A broker in a process of its own over simulated GPUs, and clients of it. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Connection, connect, findBroker, socketPath } from "@flow/backend-gpu/client";
import { build } from "esbuild";
import { FakeMachine, type FakeState } from "./fake-gpus.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
let program: Promise<string> | undefined;

/** Path of the built broker. */
function brokerProgram(): Promise<string> {
  program ??= bundle("broker-main.ts");
  return program;
}

/** Builds a program of this folder into a temporary file. */
async function bundle(name: string): Promise<string> {
  // Inside the checkout, so that the one native library is found from there.
  const outfile = join(root, "node_modules/.cache/flow-gpu", `${process.pid}-${name}.mjs`);
  await build({
    absWorkingDir: root,
    entryPoints: [join(root, "test/gpu", name)],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    conditions: ["@flow/source", "module"],
    mainFields: ["module", "main"],
    external: ["koffi"],
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module";\nconst require = __createRequire(import.meta.url);',
    },
    logLevel: "error",
  });
  return outfile;
}

/** A machine with GPUs and a broker. Disposing it ends the broker and removes its files. */
export class BrokerRig implements AsyncDisposable {
  readonly machine: FakeMachine;
  readonly env: Readonly<Record<string, string | undefined>>;

  private constructor(machine: FakeMachine, env: Readonly<Record<string, string | undefined>>) {
    this.machine = machine;
    this.env = env;
  }

  /** The broker starts with the first client. */
  static async make(gpus: number, changes: Partial<FakeState> = {}): Promise<BrokerRig> {
    const machine = new FakeMachine(gpus, changes);
    const { FLOW_GPU_LEASE: _outer, ...env } = process.env;
    return new BrokerRig(machine, {
      ...env,
      ...machine.env,
      FLOW_GPU_BROKER: await brokerProgram(),
    });
  }

  get socket(): string {
    return socketPath(this.env);
  }

  async connect(): Promise<Connection> {
    const found = await findBroker(this.env);
    if (!found.ok) throw new Error(found.error);
    return found.value;
  }

  /** Pid of the broker. */
  async pid(): Promise<number> {
    const connection = await this.connect();
    connection.send({ m: "status" });
    const answer = await connection.next("status");
    connection.close();
    if (answer?.m !== "status") throw new Error(JSON.stringify(answer));
    return answer.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const connected = await connect(this.socket);
    if (connected.ok) {
      connected.value.send({ m: "stop" });
      // When it lets go of the connection it has written everything.
      await new Promise<void>((resolve) => connected.value.onClose(resolve));
    }
    this.machine.remove();
  }
}
