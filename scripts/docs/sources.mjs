/** The sources the reference is made from, bundled because Node 20 reads no TypeScript. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const entry = `
export { jsonSchema } from "./packages/core/src/flowfile/schema/file-schema.ts";
export { diagnosticTitles } from "./packages/core/src/diagnostics/codes.ts";
export { contractVariables } from "./packages/core/src/engine/contract.ts";
export { REQUEUE_CODES } from "./packages/core/src/engine/classify.ts";
export { COMMAND_TABLE, GLOBAL_OPTIONS } from "./packages/cli/src/command-table.ts";
export { EXIT_MEANINGS } from "./packages/cli/src/exit-codes.ts";
export { eventSchema } from "./packages/cli/src/report/event-schema.ts";
`;

export async function loadSources() {
  const folder = await mkdtemp(join(tmpdir(), "flow-docs-"));
  try {
    const outfile = join(folder, "sources.mjs");
    await build({
      stdin: { contents: entry, resolveDir: root, loader: "ts" },
      bundle: true,
      outfile,
      format: "esm",
      platform: "node",
      conditions: ["@flow/source"],
      logLevel: "error",
    });
    return await import(pathToFileURL(outfile).href);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
