import { expect, test } from "vitest";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";

test("time passes only when told, and timers run in order", async () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  clock.after(20, () => seen.push(`b at ${clock.now()}`));
  clock.after(10, () => seen.push(`a at ${clock.now()}`));
  clock.after(20, () => seen.push(`c at ${clock.now()}`));
  await clock.advance(15);
  expect(seen).toEqual(["a at 10"]);
  expect(clock.now()).toBe(15);
  await clock.next();
  expect(seen).toEqual(["a at 10", "b at 20"]);
  await clock.next();
  expect(seen).toEqual(["a at 10", "b at 20", "c at 20"]);
  expect(clock.wall() - new VirtualClock().wall()).toBe(20);
});

test("a timer that is cancelled does not run", async () => {
  const clock = new VirtualClock();
  const cancel = clock.after(10, () => expect.unreachable());
  clock.after(20, () => {});
  cancel();
  await clock.advance(30);
  expect(clock.pending).toBe(0);
});

test("what follows from a timer runs before the next one", async () => {
  const clock = new VirtualClock();
  const seen: number[] = [];
  const walk = async (): Promise<void> => {
    for (let step = 0; step < 3; step += 1) {
      await clock.sleep(10);
      seen.push(clock.now());
    }
  };
  const walked = walk();
  await clock.advance(30);
  await walked;
  expect(seen).toEqual([10, 20, 30]);
});

test("waiting for what will not happen is an error", async () => {
  const clock = new VirtualClock();
  await expect(clock.next()).rejects.toThrow("no timer waits, so time would pass for nothing");
  await expect(clock.advance(5)).rejects.toThrow("nothing is due within 5 ms; 0 timers wait");
  clock.after(10, () => {});
  await expect(clock.advance(5)).rejects.toThrow("nothing is due within 5 ms; 1 timers wait");
  await expect(clock.until(new Promise(() => {}))).rejects.toThrow(
    "still waiting at 10 ms; 0 timers wait",
  );
});

test("a sleep that is aborted rejects with the reason and leaves no timer", async () => {
  const clock = new VirtualClock();
  const controller = new AbortController();
  const sleep = clock.sleep(10, controller.signal);
  controller.abort(new Error("enough"));
  await expect(sleep).rejects.toThrow("enough");
  await expect(clock.sleep(10, controller.signal)).rejects.toThrow("enough");
  expect(clock.pending).toBe(0);
});

test("time can pass until a promise settles", async () => {
  const clock = new VirtualClock();
  const slow = clock.sleep(1_000).then(() => "done");
  expect(await clock.until(slow)).toBe("done");
  expect(clock.now()).toBe(1_000);
});
