// Commands on a login node over one SSH connection, opened when first needed and again when it broke.

import { Readable } from "node:stream";
import type { Clock } from "@flow/core";
import PQueue from "p-queue";
import type { ClientChannel } from "ssh2";
import { bytesSinceBegin, inDirectory, shellText, sinceBegin } from "./remote-shell.ts";
import { type Connection, connect } from "./ssh-client.ts";
import type { SshOptions } from "./ssh-config.ts";
import { COMMAND_TIMEOUT_MS, type CommandResult, type Transport } from "./transport.ts";

/** Sessions at once; servers allow ten, and count one as open for a while after its end. */
const CHANNELS = 4;

/** Pauses after connections that failed. */
const BACKOFF_MS = 1000;
const BACKOFF_MOST_MS = 60_000;

/** Tries to open a session on a server that has too many. */
const OPEN_TRIES = 5;

/** Commands run in `cwd`, which is the same there as here. */
export function sshTransport(
  options: SshOptions,
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
  clock: Clock,
): Transport {
  const channels = new PQueue({ concurrency: CHANNELS });
  const line = new Line(options, env, clock);
  return {
    run: async (argv, input, more = {}) => {
      const text = shellText(argv, input, { cwd, env: more });
      const result = await channels.add(() =>
        line.talk("exec sh -s", (channel) => converse(channel, text)),
      );
      return result ?? { code: undefined, stdout: "", stderr: "" };
    },
    pipe: async (script, input, output) => {
      const there = inDirectory(cwd, script, input);
      const result = await channels.add(() =>
        line.talk(there.command, (channel) =>
          transfer(channel, there.input, bytesSinceBegin(output)),
        ),
      );
      return result ?? { code: undefined, stderr: "" };
    },
    async [Symbol.asyncDispose]() {
      line.close();
    },
  };
}

/** The connection, whenever it is needed. */
class Line {
  readonly #options: SshOptions;
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #clock: Clock;
  #connection: Promise<Connection> | undefined;
  #failures = 0;
  #closed = false;

  constructor(
    options: SshOptions,
    env: Readonly<Record<string, string | undefined>>,
    clock: Clock,
  ) {
    this.#options = options;
    this.#env = env;
    this.#clock = clock;
  }

  /** Opens a session for a command and leaves it to `speak`. */
  async talk(
    command: string,
    speak: (channel: ClientChannel) => Promise<CommandResult>,
  ): Promise<CommandResult> {
    try {
      for (let tries = 1; ; tries++) {
        const { client } = await this.#connected();
        const channel = await open(client, command).catch((error: Error) => error);
        if (!(channel instanceof Error)) return await speak(channel);
        if (tries === OPEN_TRIES || !/open failed/i.test(channel.message)) throw channel;
        await this.#clock.sleep(BACKOFF_MS * tries);
      }
    } catch (error) {
      return { code: undefined, stdout: "", stderr: (error as Error).message };
    }
  }

  close(): void {
    this.#closed = true;
    void this.#connection?.then((connection) => connection.end()).catch(() => {});
  }

  #connected(): Promise<Connection> {
    if (this.#closed) throw new Error("the connection was closed");
    this.#connection ??= this.#connect();
    return this.#connection;
  }

  async #connect(): Promise<Connection> {
    try {
      if (this.#failures > 0) {
        const pause = Math.min(BACKOFF_MOST_MS, BACKOFF_MS * 2 ** (this.#failures - 1));
        await this.#clock.sleep(pause);
      }
      const connection = await connect(this.#options, this.#env);
      this.#failures = 0;
      connection.client.once("close", () => {
        this.#connection = undefined;
      });
      return connection;
    } catch (error) {
      this.#failures += 1;
      this.#connection = undefined;
      throw error;
    }
  }
}

function open(client: Connection["client"], command: string): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error === undefined || error === null) resolve(channel);
      else reject(error);
    });
  });
}

/** A session that ends without an exit status was cut: nobody knows what became of the command. */
function converse(channel: ClientChannel, text: string): Promise<CommandResult> {
  let stdout = "";
  channel.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
  });
  const timer = setTimeout(() => channel.destroy(), COMMAND_TIMEOUT_MS);
  const result = ending(channel, () => {
    clearTimeout(timer);
    return stdout;
  });
  channel.end(text);
  return result;
}

/** Bytes there and back, however long that takes: keepalive notices a connection that is dead. */
function transfer(
  channel: ClientChannel,
  input: AsyncIterable<Uint8Array>,
  output: (chunk: Buffer) => void,
): Promise<CommandResult> {
  channel.on("data", output);
  const result = ending(channel, () => "");
  let failure: Error | undefined;
  Readable.from(input)
    .on("error", (error) => {
      failure = error;
      channel.destroy();
    })
    .pipe(channel);
  return result.then((found) =>
    failure === undefined ? found : { ...found, code: undefined, stderr: failure.message },
  );
}

function ending(channel: ClientChannel, stdout: () => string): Promise<CommandResult> {
  return new Promise((resolve) => {
    let stderr = "";
    let code: number | undefined;
    channel.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
    });
    channel.on("exit", (status: number | null) => {
      code = status ?? undefined;
    });
    channel.on("close", () => {
      const said = sinceBegin(stderr);
      const trouble = code === undefined && said === "" ? "the connection was cut" : said;
      resolve({ code, stdout: sinceBegin(stdout()), stderr: trouble });
    });
    channel.on("error", () => {});
  });
}
