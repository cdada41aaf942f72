/** One broker and several users, as the kernel sees them: what each may do, and what not. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, statSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { FakeMachine } from "../../gpu/fake-gpus.ts";
import { systemSuite } from "../../rig/system.ts";

const main = fileURLToPath(new URL("../../../packages/cli/dist/main.js", import.meta.url));

/** Users of the machine: one in the group that shares the broker, one that is in no group with it. */
const MEMBER = { uid: 65_534, gid: 65_534 };
const OUTSIDER = { uid: 65_533, gid: 65_533 };
const GROUP = "65534";

/** Passes lines on to the broker and prints its answers, until its input ends. */
const client = `
import json, socket, sys, threading
s = socket.socket(socket.AF_UNIX)
try:
    s.connect(sys.argv[1])
except PermissionError:
    print(json.dumps({"m": "no permission"}), flush=True)
    sys.exit()
def answers():
    for line in s.makefile():
        print(line, end="", flush=True)
threading.Thread(target=answers, daemon=True).start()
print(json.dumps({"m": "connected"}), flush=True)
for line in sys.stdin:
    s.sendall(line.encode())
`;

type Answer = Readonly<Record<string, unknown>>;

/** A client of the broker that belongs to a user. */
class Client {
  readonly process: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(
    socket: string,
    user: { readonly uid: number; readonly gid: number } | undefined,
    env: Readonly<Record<string, string>> = {},
  ) {
    const child = spawn("python3", ["-c", client, socket], {
      ...user,
      cwd: "/",
      env: { PATH: process.env["PATH"], ...env },
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.process = child;
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  async next(): Promise<Answer> {
    const { value } = await this.#answers.next();
    return JSON.parse(String(value)) as Answer;
  }

  async ask(message: object): Promise<Answer> {
    this.process.stdin?.write(`${JSON.stringify(message)}\n`);
    return this.next();
  }

  async end(): Promise<void> {
    const ended = once(this.process, "exit");
    this.process.stdin?.end();
    await ended;
  }
}

interface Place {
  readonly machine: FakeMachine;
  readonly socket: string;
  gpu(...args: readonly string[]): { code: number | null; out: string; err: string };
  /** Connected already, or refused. */
  join(user?: typeof MEMBER, env?: Readonly<Record<string, string>>): Promise<Client>;
  refused(user: typeof MEMBER): Promise<Answer>;
}

interface Shown {
  readonly cards: readonly { readonly foreignWho: string | null }[];
  readonly leases: readonly { readonly label: string; readonly user: string }[];
}

async function using(
  start: readonly string[] | undefined,
  test: (place: Place) => Promise<void>,
): Promise<void> {
  const machine = new FakeMachine(1);
  // Only the socket itself may keep others out.
  chmodSync(machine.folder, 0o755);
  const { FLOW_GPU_LEASE: _outer, ...own } = process.env;
  const env = { ...own, ...machine.env };
  const socket = machine.env["FLOW_GPU_SOCKET"] ?? "";
  const gpu: Place["gpu"] = (...args) => {
    const command = [main, "gpu", ...args];
    const { status, stdout, stderr } = spawnSync(process.execPath, command, {
      env,
      encoding: "utf8",
    });
    return { code: status, out: stdout, err: stderr };
  };
  const clients: Client[] = [];
  const enter = async (
    user: typeof MEMBER | undefined,
    more?: Readonly<Record<string, string>>,
  ): Promise<readonly [Client, Answer]> => {
    const entered = new Client(socket, user, more);
    clients.push(entered);
    return [entered, await entered.next()];
  };
  try {
    if (start !== undefined) expect(gpu("start", ...start)).toMatchObject({ code: 0 });
    await test({
      machine,
      socket,
      gpu,
      join: async (user, more) => {
        const [entered, answer] = await enter(user, more);
        expect(answer).toEqual({ m: "connected" });
        return entered;
      },
      refused: async (user) => (await enter(user))[1],
    });
  } finally {
    for (const one of clients) one.process.kill("SIGKILL");
    gpu("stop");
    machine.remove();
  }
}

const request = (label: string): object => ({ m: "acquire", proto: 1, label, keys: [label] });
const denied = (message: string): Answer => ({ m: "error", code: "DENIED", message });

systemSuite(["cc", "python"], "a GPU broker among several users", () => {
  const isRoot = process.getuid?.() === 0;

  it.runIf(isRoot)("lets nobody else in unless it is told to", () =>
    using([], async ({ refused }) => {
      expect(await refused(MEMBER)).toEqual({ m: "no permission" });
    }),
  );

  it.runIf(isRoot)("lets a group in, and shows everybody whose leases there are", () =>
    using(["--group", GROUP], async ({ socket, gpu, join, refused }) => {
      expect(statSync(socket)).toMatchObject({ gid: MEMBER.gid });
      expect(statSync(socket).mode & 0o777).toBe(0o660);
      expect(await refused(OUTSIDER)).toEqual({ m: "no permission" });
      const member = await join(MEMBER);
      expect(await member.ask(request("theirs"))).toMatchObject({ m: "granted" });
      const own = await join();
      expect(await own.ask(request("ours"))).toMatchObject({ m: "granted" });
      const lines = gpu("status").out.split("\n");
      expect(lines.filter((line) => line.endsWith("theirs (nobody)"))).toHaveLength(1);
      expect(lines.filter((line) => line.endsWith("ours (root)"))).toHaveLength(1);
      const { leases } = (await member.ask({ m: "status" })) as unknown as Shown;
      expect(leases.map(({ label, user }) => [label, user])).toEqual([
        ["theirs", "nobody"],
        ["ours", "root"],
      ]);
    }),
  );

  it.runIf(isRoot)("leaves leases and the broker itself to those they belong to", () =>
    using(["--group", GROUP], async ({ join }) => {
      const own = await join();
      const { lease, secret } = await own.ask(request("ours"));
      const member = await join(MEMBER);
      const release = { m: "release", lease, succeeded: true };
      const refusals = [
        [release, "This connection holds no such lease."],
        [{ m: "rebind", lease, secret }, "There is no such lease, or it is another's."],
        [{ m: "stop" }, "Only the broker's own user may stop it."],
        [{ m: "drain", gpu: "0", on: true }, "Only the broker's own user may drain GPUs."],
        [{ m: "profile", forget: "ours" }, "Only the broker's own user may change profiles."],
      ] as const;
      for (const [message, why] of refusals) expect(await member.ask(message)).toEqual(denied(why));
      expect(await member.ask({ m: "profile" })).toEqual({ m: "profile", rows: [] });
      expect(await own.ask(release)).toMatchObject({ m: "released", verdict: { type: "ok" } });
    }),
  );

  it.runIf(isRoot)("counts a process that only claims another's lease as a stranger", () =>
    using(["--group", GROUP], async ({ machine, gpu, join }) => {
      const own = await join();
      const { lease, cards } = await own.ask(request("ours"));
      const [card] = cards as readonly { readonly id: string }[];
      const thief = await join(MEMBER, { FLOW_GPU_LEASE: String(lease) });
      const pid = thief.process.pid ?? 0;
      machine.change({ uses: [{ gpu: card?.id ?? "", pid, mib: 4000 }] });
      const shown = (): Shown => JSON.parse(gpu("status", "--json").out) as Shown;
      await expect.poll(() => shown().cards[0]?.foreignWho).toBe(`pid ${pid} python3 (nobody)`);
      await own.end();
      await expect.poll(() => shown().leases).toEqual([]);
    }),
  );

  it("says that there is no such group", () =>
    using(undefined, async ({ gpu }) => {
      expect(gpu("start", "--group", "no-such-group")).toEqual({
        code: 4,
        out: "",
        err: "flow: There is no group `no-such-group` in /etc/group; its number is taken too.\n",
      });
    }));

  it.runIf(isRoot)("says that the group cannot reach the socket", () =>
    using(undefined, async ({ machine, socket, gpu }) => {
      chmodSync(machine.folder, 0o700);
      expect(gpu("start", "--group", GROUP)).toEqual({
        code: 4,
        out: "",
        err: `flow: The group cannot reach ${socket}: its members may not enter ${machine.folder}. Name a socket in a folder that is open to them with FLOW_GPU_SOCKET.\n`,
      });
    }),
  );
});
