// One SSH connection, through however many hosts it takes.

import { readFileSync } from "node:fs";
import type { Duplex } from "node:stream";
import type { AnyAuthMethod, Client, ConnectConfig } from "ssh2";
import { hostKeyAlgorithms, isKnown, knownKeys } from "./known-hosts.ts";
import { jumpOptions, resolveTarget, type SshOptions, type SshTarget } from "./ssh-config.ts";

type Env = Readonly<Record<string, string | undefined>>;

const CONNECT_TIMEOUT_MS = 30_000;
const KEEPALIVE_MS = 15_000;
const KEEPALIVE_MISSES = 3;

/** A connection, and how to end it with everything it goes through. */
export interface Connection {
  readonly client: Client;
  end(): void;
}

/** Connects, or throws an error whose message says what to do. */
export async function connect(options: SshOptions, env: Env): Promise<Connection> {
  const target = await resolveTarget(options, env);
  const [jump, ...further] = target.jumps;
  if (jump === undefined) return dial(target, undefined);
  // The last jump is reached through those before it.
  const hops = [jump, ...further];
  let through: Connection | undefined;
  try {
    for (const hop of hops) {
      const next = await resolveTarget(jumpOptions(hop, options.config), env);
      through = await dial(next, through);
    }
    return await dial(target, through);
  } catch (error) {
    through?.end();
    throw error;
  }
}

async function dial(target: SshTarget, through: Connection | undefined): Promise<Connection> {
  const { Client: SshClient } = await import("ssh2").then((module) => module.default);
  const client = new SshClient();
  const keys = knownKeys(target.knownHosts, target.knownAs, target.port);
  const place = `${target.user}@${target.hostname}:${target.port}`;
  if (keys.length === 0)
    throw new Error(
      `the host key of ${target.knownAs} is not in known_hosts: connect once with \`ssh\` and check it`,
    );
  const sock = through === undefined ? undefined : await forward(through, target);
  let stranger = false;
  const config: ConnectConfig = {
    host: target.hostname,
    port: target.port,
    username: target.user,
    ...(sock === undefined ? {} : { sock }),
    readyTimeout: CONNECT_TIMEOUT_MS,
    keepaliveInterval: KEEPALIVE_MS,
    keepaliveCountMax: KEEPALIVE_MISSES,
    algorithms: { serverHostKey: hostKeyAlgorithms(keys) as never },
    hostVerifier: (key: Buffer) => {
      stranger = !isKnown(keys, key);
      return !stranger;
    },
    authHandler: authentication(target),
  };
  await new Promise<void>((resolve, reject) => {
    client
      .once("ready", resolve)
      .once("error", (error) => {
        client.end();
        const why = stranger ? "its host key is not the one in known_hosts" : advised(error);
        reject(new Error(`cannot connect to ${place}: ${why}`));
      })
      .connect(config);
  });
  client.on("error", () => {});
  client.setNoDelay(true);
  return {
    client,
    end() {
      client.end();
      through?.end();
    },
  };
}

/** What the library says, and what to do where a person can do something. */
const advised = ({ message }: Error): string =>
  /authentication methods failed/i.test(message)
    ? "it accepts none of the keys that flow may use; give one to your agent with `ssh-add`, or write `transport: openssh` if your own `ssh` can log in"
    : message;

/** The agent's keys first, then the files that can be read without a passphrase. */
function authentication({ user: username, agent, identities }: SshTarget): AnyAuthMethod[] {
  const methods: AnyAuthMethod[] = [];
  if (agent !== undefined) methods.push({ type: "agent", username, agent });
  for (const path of identities) {
    try {
      methods.push({ type: "publickey", username, key: readFileSync(path) });
    } catch {
      // A key that is not there is one fewer to try.
    }
  }
  return methods;
}

function forward({ client }: Connection, { hostname, port }: SshTarget): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    client.forwardOut("127.0.0.1", 0, hostname, port, (error, channel) => {
      if (error === undefined || error === null) resolve(channel);
      else
        reject(
          new Error(`cannot reach ${hostname}:${port} through the jump host: ${error.message}`),
        );
    });
  });
}
