/** A door before a service: each request is seen whole before the service does, and may get lost there. */
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Gate {
  /** The service's address with the door's in front. */
  readonly endpoint: string;
  /** Resolves once nothing is on its way through. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a door before `target`. `letThrough` is told method and path, without ids and signatures; a
 * request for which it says false is never answered.
 */
export async function openGate(
  target: string,
  letThrough: (request: string) => boolean,
): Promise<Gate> {
  const { origin, pathname } = new URL(target);
  const underWay = new Set<Promise<void>>();
  const server = createServer((incoming, answer) => {
    const passing = pass(incoming, answer, origin, letThrough)
      .catch(() => {
        answer.destroy();
      })
      .finally(() => underWay.delete(passing));
    underWay.add(passing);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}${pathname.replace(/\/$/, "")}`,
    async idle() {
      while (underWay.size > 0) await Promise.all(underWay);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function pass(
  incoming: IncomingMessage,
  answer: ServerResponse,
  origin: string,
  letThrough: (request: string) => boolean,
): Promise<void> {
  const { method = "", url = "", headers } = incoming;
  const pieces: Buffer[] = [];
  for await (const piece of incoming) pieces.push(piece as Buffer);
  if (!letThrough(`${method} ${shapeOf(url)}`)) {
    answer.destroy();
    return;
  }
  await new Promise<void>((resolve, reject) => {
    const onward = request(new URL(url, origin), { method, headers }, (reply) => {
      answer.writeHead(reply.statusCode ?? 500, reply.headers);
      reply.once("end", resolve).once("error", reject).pipe(answer);
    });
    onward.once("error", reject).end(Buffer.concat(pieces));
  });
}

const shapeOf = (url: string): string => {
  const { pathname, searchParams } = new URL(url, "http://door");
  const kind = ["restype", "comp"].flatMap((name) => searchParams.get(name) ?? []).join(" ");
  const path = pathname.replaceAll(/(flow-)?[0-9a-f]{8,}(-[0-9a-z]+)*/g, "ID");
  return kind === "" ? path : `${path} ${kind}`;
};
