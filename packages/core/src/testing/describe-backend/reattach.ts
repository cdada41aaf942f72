// Finding attempts again after flow was restarted, and never starting one twice.

import { type BackendUnderTest, Bench, type TestApi } from "./fixture.ts";
import type { Program } from "./program.ts";

const hold: Program = { name: "a", does: "hold" };
const succeed: Program = { name: "a", does: "exit", code: 0 };

export function describeReattach(api: TestApi, subject: BackendUnderTest): void {
  api.describe("reattach", () => {
    describeFound(api, subject);
    describeStopped(api, subject);
    describeNotFound(api, subject);
  });
  api.describe("idempotency", () => describeTwice(api, subject));
  api.describe("disorder", () => describeDisorder(api, subject));
}

function describeFound(api: TestApi, subject: BackendUnderTest): void {
  const { expect } = api;
  const it = subject.capabilities.reattach ? api.it : api.it.skip;

  it("a job that runs is found again from its key and followed to its end", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([hold, { name: "b", does: "exit", code: 7 }]);
      const handle = await bench.submit(job);
      await bench.begun(job);
      await bench.restart();
      const found = (await bench.reattach([job])).get(job.key);
      expect(found).toEqual(handle);
      if (found === undefined) return;
      expect((await bench.observe(job, found))?.type).toBe("running");
      bench.fixture.release(job);
      expect(await bench.ended(job, found)).toMatchObject({ code: 7, action: 1, cause: undefined });
      expect(bench.fixture.witness(job)).toEqual(["a", "b"]);
    }));

  it("a job that ended meanwhile is found with its result", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([hold, { name: "b", does: "exit", code: 7 }]);
      await bench.submit(job);
      await bench.begun(job);
      await bench.backend[Symbol.asyncDispose]();
      bench.fixture.release(job);
      await bench.begun(job, 2);
      bench.backend = await bench.fixture.open();
      const handle = (await bench.reattach([job])).get(job.key);
      if (handle === undefined) throw new Error("the job was not found");
      expect(await bench.ended(job, handle)).toMatchObject({ code: 7, action: 1 });
    }));

  it("a handle alone is enough", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([hold]);
      const handle = JSON.parse(JSON.stringify(await bench.submit(job)));
      await bench.begun(job);
      await bench.restart();
      bench.fixture.release(job);
      expect((await bench.ended(job, handle)).code).toBe(0);
    }));

  const live = subject.capabilities.logs === "stream" ? it : api.it.skip;
  live("the log of a job found again goes on where it was left", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([
        { name: "a", does: "print", stdout: "one\n", stderr: "" },
        { name: "b", does: "hold" },
        { name: "c", does: "print", stdout: "two\n", stderr: "" },
      ]);
      const handle = await bench.submit(job);
      await bench.begun(job, 2);
      await bench.restart();
      await bench.reattach([job]);
      const rest = bench.output(job, handle, "stdout", true, 4);
      bench.fixture.release(job);
      expect(await rest).toBe("two\n");
    }),
  );
}

function describeStopped(api: TestApi, subject: BackendUnderTest): void {
  const { expect } = api;
  const it = subject.capabilities.reattach ? api.it : api.it.skip;

  it("a job found again can be stopped, its tree and all", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([{ name: "a", does: "fork", strays: true, leaves: false }]);
      const handle = await bench.submit(job);
      await bench.printed(job, handle, "ready\n");
      await bench.restart();
      await bench.reattach([job]);
      await bench.cancel(handle, "forced");
      expect((await bench.ended(job, handle)).stopped).toBe("user");
      expect(bench.fixture.living?.(job) ?? 0).toBe(0);
    }));

  it("a grace that had begun ends although flow was restarted", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([{ name: "a", does: "ignore" }], {
        stop: { signal: "SIGTERM", graceMs: 500 },
      });
      const handle = await bench.submit(job);
      await bench.printed(job, handle, "ready\n");
      await bench.cancel(handle, "graceful");
      await bench.restart();
      await bench.reattach([job]);
      expect(await bench.ended(job, handle)).toMatchObject({ signal: "SIGKILL", stopped: "user" });
    }));

  it("a time limit that passed while flow was away fires", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([hold], {
        timeoutMs: 500,
        stop: { signal: "SIGTERM", graceMs: 200 },
      });
      const handle = await bench.submit(job);
      // On a busy machine the time may be over before the program begins.
      await bench.fixture.until(
        async () =>
          bench.fixture.witness(job).length > 0 ||
          (await bench.observe(job, handle))?.type === "ended",
        "a program to begin",
      );
      await bench.restart();
      await bench.reattach([job]);
      expect((await bench.ended(job, handle)).stopped).toBe("deadline");
    }));
}

function describeNotFound(api: TestApi, subject: BackendUnderTest): void {
  const { expect } = api;
  const it = subject.capabilities.reattach ? api.it : api.it.skip;

  it("a job that never started is not found, and cannot start any more", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([succeed]);
      expect([...(await bench.reattach([job])).keys()]).toEqual([]);
      expect([...(await bench.reattach([job])).keys()]).toEqual([]);
      await bench.restart();
      const answers = await bench.backend.submit([job], bench.signal);
      expect(answers.get(job.key)?.ok).toBe(false);
      expect(bench.fixture.witness(job)).toEqual([]);
    }));
}

function describeTwice(api: TestApi, subject: BackendUnderTest): void {
  const { expect } = api;
  const it = subject.capabilities.idempotentSubmit ? api.it : api.it.skip;

  it("the same key twice is the same job", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([hold]);
      const first = await bench.submit(job);
      const second = await bench.submit(job);
      expect(second).toEqual(first);
      await bench.begun(job);
      bench.fixture.release(job);
      await bench.ended(job, first);
      expect(await bench.submit(job)).toEqual(first);
      expect(bench.fixture.witness(job)).toEqual(["a"]);
    }));

  it("the same key after a restart is the same job", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([hold]);
      const first = await bench.submit(job);
      await bench.begun(job);
      await bench.restart();
      expect(await bench.submit(job)).toEqual(first);
      bench.fixture.release(job);
      expect((await bench.ended(job, first)).code).toBe(0);
      expect(bench.fixture.witness(job)).toEqual(["a"]);
    }));

  it("the same key from two sides at once runs once", () =>
    Bench.use(subject, async (bench) => {
      const other = await bench.fixture.open();
      try {
        for (let round = 0; round < 5; round++) {
          const job = bench.fixture.job([succeed]);
          const [mine, theirs] = await Promise.all([
            bench.submit(job),
            other.submit([job], bench.signal),
          ]);
          expect(theirs.get(job.key)).toEqual({ ok: true, value: mine });
          expect((await bench.ended(job, mine)).code).toBe(0);
          expect(bench.fixture.witness(job)).toEqual(["a"]);
        }
      } finally {
        await other[Symbol.asyncDispose]();
      }
    }));
}

function describeDisorder(api: TestApi, subject: BackendUnderTest): void {
  const { expect } = api;

  api.it("handles that make no sense are answered, not thrown at", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([succeed]);
      for (const handle of [null, 7, "x", [], {}, { version: 999 }, { version: 1, key: "../x" }]) {
        const answer = await bench.backend.observe(new Map([[job.key, handle]]), bench.signal);
        if (answer.ok) {
          const type = answer.value.get(job.key)?.type ?? "ended";
          expect(["ended", "unknown"]).toContain(type);
        }
        await bench.backend.cancel(handle, "forced", "user", bench.signal);
        for await (const _ of bench.backend.logs(handle, "stdout", 0, AbortSignal.timeout(50)));
      }
      expect(bench.fixture.witness(job)).toEqual([]);
    }),
  );

  api.it("many jobs are observed in one call, each with its own end", () =>
    Bench.use(subject, async (bench) => {
      const jobs = Array.from({ length: 12 }, (_, code) =>
        bench.fixture.job([{ name: "a", does: "exit", code }]),
      );
      const handles = new Map<(typeof jobs)[number]["key"], Awaited<ReturnType<Bench["submit"]>>>();
      for (const job of jobs) handles.set(job.key, await bench.submit(job));
      await bench.fixture.until(async () => {
        const answer = await bench.backend.observe(handles, bench.signal);
        return answer.ok && jobs.every(({ key }) => answer.value.get(key)?.type === "ended");
      }, "all ends");
      const answer = await bench.backend.observe(handles, bench.signal);
      for (const [code, job] of jobs.entries())
        expect(answer.ok && answer.value.get(job.key)).toMatchObject({
          type: "ended",
          exit: { code },
        });
    }),
  );
}
