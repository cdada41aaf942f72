/** The first example of the guide, as it stands there, in an account that is the simulated one. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect } from "vitest";
import { flowTest } from "../rig/flow-test.ts";
import { useServices } from "./account.ts";
import { keysFor } from "./open-backend.ts";

const services = useServices();
const guide = fileURLToPath(new URL("../../docs/guide/azure-batch.md", import.meta.url));

/** What stands between the fences of the first block of a language. */
function firstBlock(language: string): string {
  const [, text = ""] =
    new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, "m").exec(readFileSync(guide, "utf8")) ?? [];
  return text;
}

describe("the first example of the guide", () => {
  flowTest("is planned, runs, and leaves no pool", async ({ project }) => {
    const { simulator, azurite } = services;
    Object.assign(project.env, keysFor(services));
    const storage = `{ account: ${azurite.accountName}, endpoint: "${azurite.blobEndpoint}" }`;
    const text = firstBlock("yaml")
      .replace(/endpoint: .*/, `endpoint: ${simulator.endpoint}`)
      .replace(
        /storage: .*/,
        `storage: ${storage}\n    account: ${simulator.accountName}\n    poll: 50ms\n    stop_poll: 100ms`,
      );
    expect(text).toContain("vm_size: standard_d2s_v3");
    project.write("flow.yaml", text);
    project.write(
      "train.py",
      "import sys\nseed, out = sys.argv[2], sys.argv[4]\nopen(out, 'w').write(f'model {seed}\\n')\n",
    );
    const planned = await project.run("plan", "--requests");
    expect(planned.code).toBe(0);
    const [request] = JSON.parse(planned.stdout).azure;
    expect(request).toMatchObject({ nodeHoursAtMost: 96 });
    expect(request.tasks).toHaveLength(10);
    expect(await project.run("run")).toMatchObject({ code: 0 });
    for (const seed of [0, 9]) expect(project.read(`models/${seed}.pt`)).toBe(`model ${seed}\n`);
    await simulator.until("an empty account", ({ jobs, pools }) => {
      return jobs.length + pools.length === 0;
    });
    const listed = await project.run("azure", "pool", "list");
    expect(listed).toMatchObject({ code: 0, stdout: "", stderr: "the account has no pools\n" });
  });
});
