/** The adapter to the Batch client, where a test of the whole backend would take too long. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it, vi } from "vitest";
import { batchClient } from "../src/service/batch-client.ts";
import type { ServiceError } from "../src/service/service-error.ts";

afterEach(() => {
  vi.useRealTimers();
});

it("takes a service that never answers for unreachable", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    const client = batchClient({
      endpoint: `http://127.0.0.1:${port}`,
      credentials: { type: "key", account: "test", key: "a2V5" },
      apiVersion: undefined,
    });
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const failure = client.job("job").catch((error: ServiceError) => error);
    await once(server, "request");
    await vi.advanceTimersByTimeAsync(100_000);
    expect(await failure).toMatchObject({
      code: "Unreachable",
      status: 0,
      message: "there was no answer for 100 s",
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
