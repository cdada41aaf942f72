/** The promises of the Azure backend over a copy of it in which a bug was planted. */
import { defineConfig } from "vitest/config";

const conditions = ["@flow/source", "module", "node", "development|production"];
const copy = process.env["FLOW_PLANTED"] ?? "";

export default defineConfig({
  root: new URL("../..", import.meta.url).pathname,
  resolve: { conditions, alias: { "@flow/backend-azure": `${copy}/src/index.ts` } },
  ssr: { resolve: { conditions } },
  test: { include: ["test/azure/promises*.test.ts"], hookTimeout: 60_000, bail: 1 },
});
