/**
 * The test's side of `cmd`: tasks call `cmd NAME`, the test takes each call with `next()` and says what
 * it does and when it ends. So a test knows that a task runs, and holds it there as long as it likes,
 * without waiting for any time to pass.
 */
import { readFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { Inbox } from "./inbox.ts";

interface Hello {
  readonly name: string;
  readonly args: readonly string[];
  readonly pid: number;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** One running call of `cmd`. */
export class Invocation {
  readonly args: readonly string[];
  readonly pid: number;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Resolves when the program has ended, however. */
  readonly gone: Promise<void>;
  readonly #socket: Socket;
  readonly #signals = new Inbox<string>();
  readonly #answers = new Map<number, (error: string | undefined) => void>();
  #last = 0;

  constructor({ args, pid, cwd, env }: Hello, socket: Socket) {
    this.args = args;
    this.pid = pid;
    this.cwd = cwd;
    this.env = env;
    this.#socket = socket;
    this.gone = new Promise((resolve) => socket.once("close", () => resolve()));
  }

  /** A line that the program sent after its first. */
  take(message: { readonly id?: number; readonly error?: string; readonly signal?: string }): void {
    if (message.signal !== undefined) this.#signals.put(message.signal);
    else if (message.id !== undefined) this.#answers.get(message.id)?.(message.error);
  }

  /** The next SIGTERM that reached it; it must have been called with `--trap`. */
  signal(): Promise<string> {
    return this.#signals.next(`a signal to process ${this.pid}`);
  }

  /** Writes a file, relative to where the program runs. */
  write(path: string, text: string): Promise<void> {
    return this.#order("write", { path, text });
  }

  append(path: string, text: string): Promise<void> {
    return this.#order("append", { path, text });
  }

  print(text: string): Promise<void> {
    return this.#order("print", { text });
  }

  printError(text: string): Promise<void> {
    return this.#order("printError", { text });
  }

  /** Adds a line to the events file of the script contract. */
  tell(kind: string, fields: Readonly<Record<string, unknown>> = {}): Promise<void> {
    return this.append(
      this.env["FLOW_EVENTS"] ?? "",
      `${JSON.stringify({ k: kind, ...fields })}\n`,
    );
  }

  /** Ends the program; resolves when it is gone. */
  async exit(code = 0): Promise<void> {
    this.#send({ order: "exit", code });
    await this.gone;
  }

  /** Kills the program alone, not its shell; resolves when it is gone. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    process.kill(this.pid, signal);
    await this.gone;
  }

  /** Whether the process still exists, as the kernel says. */
  isAlive(): boolean {
    try {
      return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${this.pid}/stat`, "utf8"));
    } catch {
      return false;
    }
  }

  #order(order: string, fields: Readonly<Record<string, unknown>>): Promise<void> {
    const id = this.#send({ order, ...fields });
    return new Promise((resolve, reject) => {
      this.#answers.set(id, (error) =>
        error === undefined ? resolve() : reject(new Error(`cmd could not ${order}: ${error}`)),
      );
      void this.gone.then(() => reject(new Error(`cmd ended before it could ${order}`)));
    });
  }

  #send(order: Readonly<Record<string, unknown>>): number {
    const id = ++this.#last;
    this.#socket.write(`${JSON.stringify({ id, ...order })}\n`);
    return id;
  }
}

/** The calls of one name. */
export interface Command {
  /** The next call, in the order they came. */
  next(): Promise<Invocation>;
  /** How many calls came and were not taken. */
  waiting(): number;
}

/** The socket that all calls of one test come to. */
export class CommandServer {
  readonly #server: Server;
  readonly #boxes = new Map<string, Inbox<Invocation>>();
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (socket) => this.#greet(socket));
  }

  static async open(path: string): Promise<CommandServer> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
    return new CommandServer(server);
  }

  command(name: string): Command {
    const box = this.#box(name);
    return { next: () => box.next(`a call of \`cmd ${name}\``), waiting: () => box.size };
  }

  /** Ends every program that is still connected. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #box(name: string): Inbox<Invocation> {
    const found = this.#boxes.get(name) ?? new Inbox<Invocation>();
    this.#boxes.set(name, found);
    return found;
  }

  #greet(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    let invocation: Invocation | undefined;
    createInterface({ input: socket }).on("line", (line) => {
      const message = JSON.parse(line);
      if (invocation !== undefined) return invocation.take(message);
      invocation = new Invocation(message, socket);
      this.#box(message.name).put(invocation);
    });
  }
}
