/** The sources the reference is made from, bundled in memory because Node 20 reads no TypeScript. */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const entry = `
export { jsonSchema } from "./packages/core/src/flowfile/schema/file-schema.ts";
export { diagnosticTitles } from "./packages/core/src/diagnostics/codes.ts";
export { contractVariables, variableSuffix } from "./packages/core/src/engine/contract.ts";
export { REQUEUE_CODES } from "./packages/core/src/engine/classify.ts";
export { COMMAND_TABLE, GLOBAL_OPTIONS } from "./packages/cli/src/command-table.ts";
export { EXIT_MEANINGS } from "./packages/cli/src/exit-codes.ts";
export { eventSchema } from "./packages/cli/src/report/event-schema.ts";
`;

export async function loadSources() {
  const { outputFiles } = await build({
    stdin: { contents: entry, resolveDir: root, loader: "ts" },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    conditions: ["@flow/source"],
    logLevel: "error",
  });
  const text = Buffer.from(outputFiles[0].contents).toString("base64");
  return import(`data:text/javascript;base64,${text}`);
}
