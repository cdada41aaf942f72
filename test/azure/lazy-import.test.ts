/** The services' clients are loaded when an account is opened, and not before: they are large. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const built = (name: string): string =>
  new URL(`../../packages/backend-azure/dist/${name}`, import.meta.url).href;

/** Whether a process that imports this file has loaded the client of Batch. */
function loadsClient(name: string): boolean {
  const program = `
    import { createRequire } from "node:module";
    await import(${JSON.stringify(built(name))});
    const loaded = Object.keys(createRequire(import.meta.url).cache);
    process.stdout.write(String(loaded.some((path) => path.includes("/@azure/batch/"))));`;
  const args = ["--input-type=module", "--eval", program];
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  return execFileSync(process.execPath, args, { encoding: "utf8", cwd }) === "true";
}

it("the plug-in alone does not load the client of Batch; opening it does", () => {
  expect(loadsClient("index.js")).toBe(false);
  expect(loadsClient("open.js")).toBe(true);
});
