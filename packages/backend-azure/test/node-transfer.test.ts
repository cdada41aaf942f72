/** What a node without `curl` sends and fetches: the Python program within `node.sh`, against a server. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const script = readFileSync(fileURLToPath(new URL("../node/node.sh", import.meta.url)), "utf8");
const [, program = ""] = /^n_python='\n([^']+)'$/m.exec(script) ?? [];

interface Stored {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

const blobs = new Map<string, Stored>();
const folder = mkdtempSync(join(tmpdir(), "flow-transfer-"));
let address = "";

const server: Server = createServer((request, response) => {
  const name = request.url ?? "";
  if (request.method === "GET") {
    const found = blobs.get(name);
    response.writeHead(found === undefined ? 404 : 200).end(found?.body);
    return;
  }
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const isTaken = request.headers["if-none-match"] === "*" && blobs.has(name);
    if (!isTaken) blobs.set(name, { headers: request.headers, body: Buffer.concat(chunks) });
    response.writeHead(isTaken ? 409 : 201).end();
  });
});

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

/** The status that it prints. */
function transfer(mode: string, url: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile("python3", ["-c", program, mode, path], (error, stdout) =>
      error === null ? resolve(stdout.trim()) : reject(new Error("it fails", { cause: error })),
    );
    child.stdin?.end(`${url}\n`);
  });
}

const file = (name: string, content: Buffer): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

describe("a node that has python3 and no curl", () => {
  const content = Buffer.from(Array.from({ length: 3 << 20 }, (_, index) => (index * 31) % 256));

  it("sends a file as it is, with its length", async () => {
    expect(await transfer("put", `${address}/state`, file("state", content))).toBe("201");
    const stored = blobs.get("/state");
    expect(stored?.body.equals(content)).toBe(true);
    expect(stored?.headers).toMatchObject({
      "content-length": String(content.length),
      "x-ms-blob-type": "BlockBlob",
    });
  });

  it("takes a claim once", async () => {
    expect(await transfer("new", `${address}/claim`, file("one", Buffer.from("one")))).toBe("201");
    expect(await transfer("new", `${address}/claim`, file("two", Buffer.from("two")))).toBe("409");
    expect(blobs.get("/claim")?.body.toString()).toBe("one");
  });

  it("fetches a file, and tells what it could not", async () => {
    blobs.set("/there", { headers: {}, body: content });
    expect(await transfer("get", `${address}/there`, join(folder, "got"))).toBe("200");
    expect(readFileSync(join(folder, "got")).equals(content)).toBe(true);
    expect(await transfer("get", `${address}/missing`, join(folder, "none"))).toBe("404");
    expect(await transfer("get", "http://127.0.0.1:1/nobody", join(folder, "none"))).toBe("000");
  });
});
