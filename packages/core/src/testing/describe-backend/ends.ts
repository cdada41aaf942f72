// How attempts end: codes, signals, several actions, `finally`, time limits, what is left behind.

import { type BackendUnderTest, Bench, type TestApi } from "./fixture.ts";
import type { Program } from "./program.ts";

const exit = (name: string, code: number): Program => ({ name, does: "exit", code });

export function describeEnds(api: TestApi, subject: BackendUnderTest): void {
  api.describe("outcomes", () => {
    describeCodes(api, subject);
    describeFinally(api, subject);
    describeLimits(api, subject);
  });
  api.describe("what a program is given", () => describeGiven(api, subject));
  api.describe("leftovers", () => describeLeftovers(api, subject));
}

function describeCodes({ it, expect }: TestApi, subject: BackendUnderTest): void {
  it("the first failing action gives the code and its index, and the next do not run", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([exit("a", 0), exit("b", 7), exit("c", 0)]);
      expect(await bench.run(job)).toMatchObject({ code: 7, action: 1, signal: undefined });
      expect(bench.fixture.witness(job)).toEqual(["a", "b"]);
    }));

  it("a code among the good ones counts as success", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([exit("a", 3), exit("b", 0)], { action: { okExit: [0, 3] } });
      expect(await bench.run(job)).toMatchObject({ code: 0, action: undefined });
      expect(bench.fixture.witness(job)).toEqual(["a", "b"]);
    }));

  it("codes that ask for a requeue come through", () =>
    Bench.use(subject, async (bench) => {
      expect((await bench.run(bench.fixture.job([exit("a", 75)]))).code).toBe(75);
    }));

  it("a program killed by a signal is told from one that exits", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([{ name: "a", does: "die", signal: "SIGKILL" }, exit("b", 0)]);
      expect(await bench.run(job)).toMatchObject({
        signal: "SIGKILL",
        action: 0,
        stopped: undefined,
      });
      expect(bench.fixture.witness(job)).toEqual(["a"]);
    }));

  it("a program that does not exist ends with 127", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([{ name: "a", does: "vanish" }]);
      const handle = await bench.submit(job);
      expect(await bench.ended(job, handle)).toMatchObject({ code: 127, action: 0 });
      if (subject.capabilities.logs !== "none")
        expect(await bench.output(job, handle, "stderr")).toContain("no-such-program");
    }));
}

function describeFinally({ it, expect }: TestApi, subject: BackendUnderTest): void {
  const withFinally = (bench: Bench, programs: readonly Program[], last: readonly Program[]) => {
    const job = bench.fixture.job(programs);
    return { ...job, finally: last.map((program) => bench.fixture.action(job, program)) };
  };

  it("`finally` runs after a failure and does not change the result", () =>
    Bench.use(subject, async (bench) => {
      const job = withFinally(bench, [exit("a", 7), exit("b", 0)], [exit("x", 9), exit("y", 0)]);
      expect(await bench.run(job)).toMatchObject({ code: 7, action: 0 });
      expect(bench.fixture.witness(job)).toEqual(["a", "x", "y"]);
    }));

  it("`finally` runs after a success and does not change the result", () =>
    Bench.use(subject, async (bench) => {
      const job = withFinally(bench, [exit("a", 0)], [exit("x", 9)]);
      expect(await bench.run(job)).toMatchObject({ code: 0, action: undefined });
      expect(bench.fixture.witness(job)).toEqual(["a", "x"]);
    }));

  it("`finally` runs after a graceful stop", () =>
    Bench.use(subject, async (bench) => {
      const job = withFinally(
        bench,
        [{ name: "a", does: "obey", code: 75 }, exit("b", 0)],
        [exit("x", 0)],
      );
      const handle = await bench.submit(job);
      await bench.printed(job, handle, "ready\n");
      await bench.cancel(handle, "graceful");
      expect(await bench.ended(job, handle)).toMatchObject({ code: 75, stopped: "user" });
      expect(bench.fixture.witness(job)).toEqual(["a", "x"]);
    }));
}

function describeLimits({ it, expect }: TestApi, subject: BackendUnderTest): void {
  const stop = { signal: "SIGTERM", graceMs: 300 };

  it("a job over its time limit is stopped with the reason `deadline`", () =>
    Bench.use(subject, async (bench) => {
      const programs: Program[] = [{ name: "a", does: "ignore" }, exit("b", 0)];
      const job = bench.fixture.job(programs, { timeoutMs: 300, stop });
      const handle = await bench.submit(job);
      const end = await bench.ended(job, handle);
      expect(end.stopped).toBe("deadline");
      expect(bench.fixture.witness(job)).not.toContain("b");
      // On a busy machine the time may be over before the program can ignore anything.
      if (subject.capabilities.logs === "none") return;
      if (await bench.output(job, handle)) expect(end.signal).toBe("SIGKILL");
    }));

  it("an action over its time limit is stopped with the reason `deadline`", () =>
    Bench.use(subject, async (bench) => {
      const free = bench.fixture.job([exit("a", 0), { name: "b", does: "hold" }], { stop });
      const [first, second] = free.actions.map((action) => ({ ...action }));
      if (first === undefined || second === undefined) throw new Error("two actions");
      const job = { ...free, actions: [first, { ...second, timeoutMs: 300 }] };
      expect(await bench.run(job)).toMatchObject({ action: 1, stopped: "deadline" });
    }));

  it("a program with a time limit knows its deadline", () =>
    Bench.use(subject, async (bench) => {
      const show: Program = { name: "a", does: "show", variables: ["FLOW_DEADLINE"] };
      const job = bench.fixture.job([show], { timeoutMs: 600_000 });
      const handle = await bench.submit(job);
      await bench.ended(job, handle);
      if (subject.capabilities.logs === "none") return;
      expect(/^FLOW_DEADLINE=\d{10}\n$/.test(await bench.output(job, handle))).toBe(true);
    }));
}

function describeGiven({ it, expect }: TestApi, subject: BackendUnderTest): void {
  const read = subject.capabilities.logs === "none" ? it.skip : it;

  read("variables arrive as they are, those of an action over those of the job", () =>
    Bench.use(subject, async (bench) => {
      const value = 'it\'s "a" $HOME `x` \\ \u00e9\nsecond line ';
      const show: Program = {
        name: "a",
        does: "show",
        variables: ["A", "B", "EMPTY", "UNSET_ONE"],
      };
      const job = bench.fixture.job([show], {
        env: { A: value, B: "job", EMPTY: "" },
        action: { env: { B: "action" } },
      });
      const handle = await bench.submit(job);
      expect((await bench.ended(job, handle)).code).toBe(0);
      expect(await bench.output(job, handle)).toBe(`A=${value}\nB=action\nEMPTY=\nUNSET_ONE\n`);
    }),
  );

  read("standard input is empty unless a file is named", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([{ name: "a", does: "copy" }]);
      const handle = await bench.submit(job);
      expect((await bench.ended(job, handle)).code).toBe(0);
      expect(await bench.output(job, handle)).toBe("");
    }),
  );

  read("an action runs in its working directory", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([{ name: "a", does: "where" }]);
      const handle = await bench.submit(job);
      await bench.ended(job, handle);
      const where = await bench.output(job, handle);
      // On nodes with files of their own it has a place of its own, too.
      const { sharedFilesystem } = subject.capabilities;
      expect(sharedFilesystem ? where : where.slice(0, 1)).toBe(
        sharedFilesystem ? `${job.actions[0]?.cwd ?? ""}\n` : "/",
      );
    }),
  );
}

function describeLeftovers({ it, expect }: TestApi, subject: BackendUnderTest): void {
  it("a process left behind by a success is killed and told", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([{ name: "a", does: "fork", strays: false, leaves: true }]);
      expect(await bench.run(job)).toMatchObject({ code: 0, leaky: true });
      expect(bench.fixture.living?.(job) ?? 0).toBe(0);
    }));

  it("a stray left behind in a session of its own is killed", () =>
    Bench.use(subject, async (bench) => {
      const job = bench.fixture.job([{ name: "a", does: "fork", strays: true, leaves: true }]);
      expect((await bench.run(job)).code).toBe(0);
      await bench.fixture.until(() => (bench.fixture.living?.(job) ?? 0) === 0, "the stray's end");
    }));
}
