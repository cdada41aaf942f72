// Jobs that start, run and end; their logs; what a backend says of its limits.

import { type BackendUnderTest, Bench, type TestApi } from "./fixture.ts";
import type { Program } from "./program.ts";

const hold: Program = { name: "hold", does: "hold" };
const succeed: Program = { name: "succeed", does: "exit", code: 0 };

export function describeLifecycle(api: TestApi, subject: BackendUnderTest): void {
  api.describe("lifecycle", () => {
    describeRuns(api, subject);
    describePushes(api, subject);
  });
  api.describe("logs", () => describeLogs(api, subject));
  api.describe("limits", () => describeLimits(api, subject));
  api.describe("faults", () => describeFaults(api, subject));
}

function describeRuns({ it, expect }: TestApi, subject: BackendUnderTest): void {
  it("a job runs once and ends with code 0", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([succeed]);
      expect(await bench.run(job)).toMatchObject({
        code: 0,
        signal: undefined,
        action: undefined,
        stopped: undefined,
        cause: undefined,
        leaky: false,
      });
      expect(bench.fixture.witness(job)).toEqual(["succeed"]);
    }));

  it("a job is not over while its program runs, and stays over when it has ended", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([hold]);
      const handle = await bench.submit(job);
      await bench.begun(job);
      await bench.fixture.until(
        async () => (await bench.observe(job, handle))?.type === "running",
        "the job to be seen running",
      );
      bench.fixture.release(job);
      const exit = await bench.ended(job, handle);
      expect(exit.code).toBe(0);
      expect(await bench.observe(job, handle)).toEqual({ type: "ended", exit });
    }));

  it("one submit answers for each of its jobs", () =>
    Bench.use(subject, async (bench) => {
      const jobs = [0, 1, 2, 3].map((code) =>
        bench.fixture.job([{ name: "x", does: "exit", code }]),
      );
      const size = Math.max(1, subject.capabilities.maxBatch);
      for (let from = 0; from < jobs.length; from += size) {
        const piece = jobs.slice(from, from + size);
        const answers = await bench.backend.submit(piece, bench.signal);
        expect([...answers.keys()].sort()).toEqual(piece.map(({ key }) => key).sort());
        for (const job of piece) {
          const answer = answers.get(job.key);
          if (answer?.ok !== true) throw new Error("a job was not accepted");
          expect((await bench.ended(job, answer.value)).code).toBe(jobs.indexOf(job));
        }
      }
    }));

  it("a submit that is aborted starts nothing it does not answer for", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([succeed]);
      const answers = await bench.backend.submit([job], AbortSignal.abort());
      const answer = answers.get(job.key);
      if (answer?.ok === true) await bench.ended(job, answer.value);
      expect(bench.fixture.witness(job).length).toBe(answer?.ok === true ? 1 : 0);
    }));
}

function describePushes({ it }: TestApi, subject: BackendUnderTest): void {
  const pushes = subject.capabilities.pushes ? it : it.skip;
  pushes("the end of a job is pushed", () =>
    Bench.use(subject, async (bench) => {
      const told = new Set<string>();
      bench.backend.onChange?.((keys) => {
        for (const key of keys) told.add(key);
      });
      const job = bench.fixture.job([succeed]);
      const handle = await bench.submit(job);
      let type: string | undefined;
      while (type !== "ended") {
        await bench.fixture.until(() => told.delete(job.key), "the push");
        type = (await bench.observe(job, handle))?.type;
      }
    }),
  );
}

function describeLogs({ it, expect }: TestApi, subject: BackendUnderTest): void {
  const after = subject.capabilities.logs === "none" ? it.skip : it;
  const live = subject.capabilities.logs === "stream" ? it : it.skip;

  after("both streams are kept byte for byte and can be read from any offset", () =>
    Bench.use(subject, async (bench) => {
      const stdout = "first line\n\u001b[31mred\u001b[0m \u00e9 without end";
      const stderr = '%s\\n it\'s "quoted"\n';
      const job = bench.fixture.job([{ name: "print", does: "print", stdout, stderr }]);
      const handle = await bench.submit(job);
      await bench.ended(job, handle);
      expect(await bench.output(job, handle)).toBe(stdout);
      expect(await bench.output(job, handle, "stderr")).toBe(stderr);
      expect(await bench.output(job, handle, "stdout", true, 6)).toBe(stdout.slice(6));
      expect(await bench.output(job, handle, "stdout", true, 1000)).toBe("");
    }),
  );

  live("a stream follows a running job and ends with it", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([
        { name: "print", does: "print", stdout: "one\n", stderr: "" },
        hold,
        { name: "more", does: "print", stdout: "two\n", stderr: "" },
      ]);
      const handle = await bench.submit(job);
      await bench.begun(job, 2);
      await bench.printed(job, handle, "one\n");
      const whole = bench.output(job, handle);
      bench.fixture.release(job);
      expect((await bench.ended(job, handle)).code).toBe(0);
      expect(await whole).toBe("one\ntwo\n");
    }),
  );

  live("an aborted stream ends although the job runs", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([hold]);
      const handle = await bench.submit(job);
      await bench.begun(job);
      expect(await bench.output(job, handle, "stdout", false)).toBe("");
      bench.fixture.release(job);
      await bench.ended(job, handle);
    }),
  );
}

function describeLimits({ it, expect }: TestApi, subject: BackendUnderTest): void {
  it("the open backend has the capabilities it was declared with", () =>
    Bench.use(subject, async (bench) => {
      expect(bench.backend.capabilities).toEqual(subject.capabilities);
    }));

  it("every limit is a whole positive number or absent", () =>
    Bench.use(subject, async (bench) => {
      const { slots, cpusMilli, memoryBytes, pools } = bench.backend.limits();
      for (const limit of [slots, cpusMilli, memoryBytes, ...Object.values(pools)]) {
        if (limit === undefined) continue;
        expect(Number.isSafeInteger(limit)).toBe(true);
        expect(limit).toBeGreaterThan(0);
      }
    }));
}

function describeFaults(api: TestApi, subject: BackendUnderTest): void {
  const { expect } = api;
  const it = subject.hasConnection ? api.it : api.it.skip;

  it("a system that cannot be reached ends nothing", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([hold]);
      const handle = await bench.submit(job);
      await bench.begun(job);
      bench.fixture.connect?.(false);
      const answer = await bench.backend.observe(new Map([[job.key, handle]]), bench.signal);
      if (answer.ok) expect(answer.value.get(job.key)?.type).not.toBe("ended");
      else expect(answer.error.type).toBe("unavailable");
      const found = await bench.backend.reattach(
        [{ key: job.key, attempt: job.paths.attempt, handle }],
        bench.signal,
      );
      if (found.ok) expect(found.value.has(job.key)).toBe(true);
      bench.fixture.connect?.(true);
      bench.fixture.release(job);
      expect((await bench.ended(job, handle)).code).toBe(0);
    }));
}
