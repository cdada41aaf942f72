/** When requests are sent again. */
import { VirtualClock } from "@flow/core/testing";
import { describe, expect, it } from "vitest";
import { Retry } from "../src/service/retry.ts";
import { parseRetryAfter, ServiceError } from "../src/service/service-error.ts";

const busy = (retryAfterMs?: number) =>
  new ServiceError("ServerBusy", "busy", { status: 503, retryAfterMs });

/** Fails with these errors one after another, then succeeds; notes when it was called. */
function failing(clock: VirtualClock, errors: readonly Error[]) {
  const calls: number[] = [];
  const request = async (): Promise<string> => {
    calls.push(clock.now());
    const error = errors[calls.length - 1];
    if (error !== undefined) throw error;
    return "done";
  };
  return { calls, request };
}

describe("a request that fails for a while", () => {
  it("waits at least as long as the service asks, and little longer", async () => {
    const clock = new VirtualClock();
    const { calls, request } = failing(clock, [busy(3000)]);
    expect(await clock.until(new Retry(clock, () => 1).call(request))).toBe("done");
    const [first = 0, second = 0] = calls;
    expect(second - first).toBeGreaterThanOrEqual(3000);
    expect(second - first).toBeLessThanOrEqual(4050);
  });

  it("keeps other requests of the account back, too", async () => {
    const clock = new VirtualClock();
    const retry = new Retry(clock, () => 0);
    const throttled = failing(clock, [busy(3000)]);
    const other = failing(clock, []);
    const both = retry.call(throttled.request);
    await new Promise((resolve) => setImmediate(resolve));
    await clock.until(Promise.all([both, retry.call(other.request)]));
    expect((other.calls[0] ?? 0) - (throttled.calls[0] ?? 0)).toBeGreaterThanOrEqual(3000);
  });

  it("gives up after six tries with what failed last", async () => {
    const clock = new VirtualClock();
    const { calls, request } = failing(
      clock,
      Array.from({ length: 9 }, () => busy()),
    );
    await expect(clock.until(new Retry(clock, () => 0.5).call(request))).rejects.toThrow("busy");
    expect(calls.length).toBe(6);
  });

  it("does not wait longer than a minute for the service", async () => {
    const clock = new VirtualClock();
    const { calls, request } = failing(clock, [busy(90_000)]);
    await expect(clock.until(new Retry(clock).call(request))).rejects.toThrow("busy");
    expect(calls.length).toBe(1);
  });
});

describe("a request that is refused", () => {
  it("is not repeated", async () => {
    const clock = new VirtualClock();
    const refused = new ServiceError("JobNotFound", "no job", { status: 404 });
    const { calls, request } = failing(clock, [refused]);
    await expect(clock.until(new Retry(clock).call(request))).rejects.toBe(refused);
    expect(calls.length).toBe(1);
  });
});

describe("Retry-After", () => {
  it.each([
    ["7", 7000],
    ["0.5", 500],
    ["Sat, 21 Nov 2026 10:00:09 GMT", 9000],
    ["Sat, 21 Nov 2026 09:00:00 GMT", 0],
    ["soon", undefined],
    [undefined, undefined],
  ])("%s is %s ms", (text, expected) => {
    expect(parseRetryAfter(text, Date.parse("2026-11-21T10:00:00Z"))).toBe(expected);
  });
});
