/** The smoke test for live accounts, against the simulated one: it refuses, spends nothing more, and leaves nothing. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { until } from "../rig/until.ts";
import { useServices } from "./account.ts";
import { keysFor, optionsFor } from "./open-backend.ts";

const script = fileURLToPath(new URL("live.mjs", import.meta.url));
const services = useServices();
const scratch = mkdtempSync(join(tmpdir(), "flow-live-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function start(settings: Readonly<Record<string, string>>) {
  const { PATH = "" } = process.env;
  const child = spawn(process.execPath, [script], { env: { PATH, TMPDIR: scratch, ...settings } });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  const ended = new Promise<{ code: number | null; output: string }>((resolve) =>
    child.once("close", (code) => resolve({ code, output })),
  );
  return { child, ended };
}

const settings = (): Readonly<Record<string, string>> => ({
  ...keysFor(services),
  FLOW_AZURE_LIVE: JSON.stringify(optionsFor(services, { scale: "auto" })),
  FLOW_AZURE_LIVE_SPEND: "0.04",
  FLOW_AZURE_LIVE_PRICE: "0.05",
});

const emptyAccount = () =>
  services.simulator.until("an empty account", ({ jobs, pools }) => {
    return jobs.length + pools.length === 0;
  });

describe("the smoke test on a live account", () => {
  it.each([
    ["an account", { FLOW_AZURE_LIVE: "" }, "FLOW_AZURE_LIVE names no account"],
    ["a limit", { FLOW_AZURE_LIVE_SPEND: "" }, "this costs money"],
    ["a price", { FLOW_AZURE_LIVE_PRICE: "free" }, "this costs money"],
    ["enough money", { FLOW_AZURE_LIVE_SPEND: "0.01" }, "0.01 is enough for 12"],
  ])("starts nothing without %s", async (_, change, why) => {
    const before = services.simulator.exchanges.length;
    const { code, output } = await start({ ...settings(), ...change }).ended;
    expect({ code, output }).toEqual({
      code: 2,
      output: expect.stringMatching(`^Nothing was started: .*${why}`),
    });
    expect(services.simulator.exchanges.length).toBe(before);
  });

  it("runs on one node for no longer than the money lasts, and deletes everything", async () => {
    const { code, output } = await start(settings()).ended;
    expect(code, output).toBe(0);
    expect(output).toMatch(/for at most 48 minutes: at most 0\.04, /);
    expect(output).toMatch(/Both tasks ran on Azure Batch, and nothing is left there\.\n$/);
    const [added] = services.simulator.exchanges.filter(({ operation }) => operation === "Job_Add");
    const body = JSON.parse(added?.body ?? "{}");
    expect(body.constraints.maxWallClockTime).toBe("PT2880S");
    expect(body.poolInfo.autoPoolSpecification.pool.autoScaleFormula).toContain("min(1, ");
    await emptyAccount();
    expect(readdirSync(scratch)).toEqual([]);
  });

  it("fails at once with a key that is none, and says that nothing was made", async () => {
    const { code, output } = await start({
      ...settings(),
      AZURE_BATCH_ACCESS_KEY: "d3Jvbmcga2V5",
    }).ended;
    expect(code).toBe(1);
    expect(output).toMatch(/\(AuthenticationFailed\)\. Check the key in the environment/);
    expect(output).toMatch(
      /The smoke test failed\. flow run ended with 4; it says why above\. Nothing is left in the account\.\n$/,
    );
    expect(readdirSync(scratch)).toEqual([]);
  });

  it("does not wait for nodes that Azure does not have", async () => {
    services.simulator.setAllocation({ dedicated: 0, code: "AllocationFailed" });
    const { code, output } = await start(settings()).ended;
    services.simulator.setAllocation({});
    expect(code).toBe(1);
    expect(output).toMatch(
      /The smoke test failed\. Azure gives no node for it; flow says why above\. Nothing is left in the account\.\n$/,
    );
    await emptyAccount();
    expect(readdirSync(scratch)).toEqual([]);
  });

  it("deletes everything when it is killed half-way", async () => {
    services.simulator.setAllocation({ dedicated: 0 });
    const { child, ended } = start(settings());
    await services.simulator.until("a task", ({ jobs }) => (jobs[0]?.tasks.length ?? 0) > 0);
    child.kill("SIGKILL");
    await ended;
    await emptyAccount();
    services.simulator.setAllocation({});
    await until("its folder to be gone", () => readdirSync(scratch).length === 0);
  });
});
