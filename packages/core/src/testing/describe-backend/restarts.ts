// Jobs that ask to be run again: restarted by the system where it can, and counted.

import { type BackendUnderTest, Bench, type TestApi } from "./fixture.ts";
import type { Program } from "./program.ts";

const again: Program = { name: "again", does: "advance", code: 75 };

export function describeRestarts(api: TestApi, subject: BackendUnderTest): void {
  const { it, expect } = api;
  const restarting = subject.capabilities.requeues ? it : it.skip;
  api.describe("restarts", () => {
    restarting("a job is restarted no more often than it may, and its end says how often", () =>
      Bench.use(subject, async (bench) => {
        const job = bench.fixture.job([again], { restarts: { max: 1 } });
        const exit = await bench.run(job);
        expect(exit.code).toBe(75);
        const restarts = exit.restarts ?? 0;
        expect([0, 1]).toContain(restarts);
        expect(bench.fixture.witness(job).length).toBe(1 + restarts);
      }),
    );

    restarting("a job that is being restarted has not ended, and is found by a later flow", () =>
      Bench.use(subject, async (bench) => {
        const job = bench.fixture.job([again], { restarts: { max: 1 } });
        await bench.submit(job);
        await bench.begun(job);
        await bench.restart();
        const handle = (await bench.reattach([job])).get(job.key);
        if (handle === undefined) throw new Error("the job was not found");
        const exit = await bench.ended(job, handle);
        expect(bench.fixture.witness(job).length).toBe(1 + (exit.restarts ?? 0));
      }),
    );

    it("a job that may not be restarted runs once", () =>
      Bench.use(subject, async (bench) => {
        const job = bench.fixture.job([again]);
        expect((await bench.run(job)).restarts).toBe(undefined);
        expect(bench.fixture.witness(job)).toEqual(["again"]);
      }));
  });
}
