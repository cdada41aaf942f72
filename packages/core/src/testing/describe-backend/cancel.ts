// Stopping attempts: gracefully, by force, whole trees, repeatedly, and too late.

import { type BackendUnderTest, Bench, type TestApi } from "./fixture.ts";
import type { Program } from "./program.ts";

const short = { signal: "SIGTERM", graceMs: 300 };
const hold: Program = { name: "a", does: "hold" };

export function describeCancel(api: TestApi, subject: BackendUnderTest): void {
  api.describe("cancel", () => {
    describeGraceful(api, subject);
    describeForced(api, subject);
    describeRepeated(api, subject);
  });
}

function describeGraceful({ it, expect }: TestApi, subject: BackendUnderTest): void {
  it("a program that obeys keeps its code, and saw the stop file first", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([
        { name: "a", does: "obey", code: 75 },
        { name: "b", does: "exit", code: 0 },
      ]);
      const handle = await bench.submit(job);
      await bench.printed(job, handle, "ready\n");
      await bench.cancel(handle, "graceful");
      expect(await bench.ended(job, handle)).toMatchObject({
        code: 75,
        stopped: "user",
        action: 0,
      });
      expect(bench.fixture.witness(job)).toEqual(["a"]);
      expect(await bench.output(job, handle)).toContain("\nstop file\n");
    }));

  it("no further action starts after a stop, and a program that ends with 0 is no success", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([
        { name: "a", does: "obey", code: 0 },
        { name: "b", does: "exit", code: 0 },
      ]);
      const handle = await bench.submit(job);
      await bench.printed(job, handle, "ready\n");
      await bench.cancel(handle, "graceful");
      // A signal stands for the work left undone, so that the end is never taken for a success.
      expect(await bench.ended(job, handle)).toMatchObject({ signal: "SIGTERM", stopped: "user" });
      expect(bench.fixture.witness(job)).toEqual(["a"]);
    }));

  it("a program that does not obey is killed when its grace is over", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([{ name: "a", does: "ignore" }], { stop: short });
      const handle = await bench.submit(job);
      await bench.printed(job, handle, "ready\n");
      await bench.cancel(handle, "graceful");
      expect(await bench.ended(job, handle)).toMatchObject({ signal: "SIGKILL", stopped: "user" });
      expect(bench.fixture.living?.(job) ?? 0).toBe(0);
    }));

  it("without a signal there is only the stop file, then the kill", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([{ name: "a", does: "obey", code: 75 }], {
        stop: { signal: "none", graceMs: 300 },
      });
      const handle = await bench.submit(job);
      await bench.printed(job, handle, "ready\n");
      await bench.cancel(handle, "graceful");
      expect(await bench.ended(job, handle)).toMatchObject({ signal: "SIGKILL", stopped: "user" });
    }));
}

function describeForced({ it, expect }: TestApi, subject: BackendUnderTest): void {
  it("by force, a program ends at once whatever its grace", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([{ name: "a", does: "ignore" }], {
        stop: { signal: "SIGTERM", graceMs: 3_600_000 },
      });
      const handle = await bench.submit(job);
      await bench.printed(job, handle, "ready\n");
      await bench.cancel(handle, "graceful");
      await bench.cancel(handle, "forced");
      expect(await bench.ended(job, handle)).toMatchObject({ signal: "SIGKILL", stopped: "user" });
      expect(bench.fixture.living?.(job) ?? 0).toBe(0);
    }));

  for (const strays of [false, true])
    it(`by force, a grandchild ${strays ? "in a session of its own " : ""}ends too`, () =>
      Bench.use(subject, async (bench) => {
        const job = bench.fixture.job([{ name: "a", does: "fork", strays, leaves: false }]);
        const handle = await bench.submit(job);
        await bench.printed(job, handle, "ready\n");
        await bench.cancel(handle, "forced");
        expect(await bench.ended(job, handle)).toMatchObject({ stopped: "user" });
        expect(bench.fixture.living?.(job) ?? 0).toBe(0);
      }));
}

function describeRepeated({ it, expect }: TestApi, subject: BackendUnderTest): void {
  it("asking twice is asking once", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([{ name: "a", does: "obey", code: 75 }]);
      const handle = await bench.submit(job);
      await bench.printed(job, handle, "ready\n");
      await Promise.all([bench.cancel(handle, "graceful"), bench.cancel(handle, "graceful")]);
      await bench.cancel(handle, "graceful");
      expect(await bench.ended(job, handle)).toMatchObject({ code: 75, stopped: "user" });
    }));

  it("a stop that comes too late changes nothing", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([{ name: "a", does: "exit", code: 0 }]);
      const handle = await bench.submit(job);
      const before = await bench.ended(job, handle);
      await bench.cancel(handle, "graceful");
      await bench.cancel(handle, "forced");
      expect(await bench.observe(job, handle)).toEqual({ type: "ended", exit: before });
    }));

  it("a stop right after the submit is not lost", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([hold, { name: "b", does: "exit", code: 0 }], { stop: short });
      const handle = await bench.submit(job);
      await bench.cancel(handle, "graceful");
      expect((await bench.ended(job, handle)).stopped).toBe("user");
      expect(bench.fixture.witness(job)).not.toContain("b");
    }));

  it("a stop reaches only the job it is for", () =>
    Bench.use(subject, async (bench) => {
      const [one, other] = [bench.fixture.job([hold]), bench.fixture.job([hold])];
      const [first, second] = [await bench.submit(one), await bench.submit(other)];
      await bench.begun(one);
      await bench.begun(other);
      await bench.cancel(first, "forced");
      await bench.ended(one, first);
      expect((await bench.observe(other, second))?.type).toBe("running");
      bench.fixture.release(other);
      expect((await bench.ended(other, second)).code).toBe(0);
    }));
}
