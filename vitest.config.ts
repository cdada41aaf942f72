/**
 * The six test projects. Packages are read from their sources through the `@flow/source` condition,
 * so no test needs a build except the end-to-end ones, which run the built command line.
 */
import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

const conditions = ["@flow/source", "module", "node", "development|production"];

const unit: readonly string[] = ["packages/*/test/**/*.test.ts", "test/*.test.ts"];
const property: readonly string[] = [
  "packages/*/test/**/*.prop.test.ts",
  "test/property/**/*.test.ts",
];
const conformance: readonly string[] = ["test/conformance/**/*.test.ts"];
const slurm: readonly string[] = ["test/slurm/**/*.test.ts"];
const azure: readonly string[] = ["test/azure/**/*.test.ts"];
const endToEnd: readonly string[] = ["test/e2e/**/*.test.ts"];

function project(
  name: string,
  include: readonly string[],
  options: { exclude?: readonly string[]; testTimeout?: number; globalSetup?: string } = {},
) {
  return {
    extends: true as const,
    test: {
      name,
      include: [...include],
      exclude: ["**/node_modules/**", "**/dist/**", ...(options.exclude ?? [])],
      testTimeout: options.testTimeout ?? 120_000,
      hookTimeout: 120_000,
      ...(options.globalSetup === undefined ? {} : { globalSetup: options.globalSetup }),
    },
  };
}

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    environment: "node",
    passWithNoTests: true,
    // What is polled comes when another process gets its turn.
    expect: { poll: { timeout: 60_000 } },
    // Most tests wait for other processes: one file at a time would leave a small machine idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    sequence: { shuffle: { tests: true, files: false } },
    coverage: { provider: "v8", include: ["packages/*/src/**"] },
    projects: [
      project("unit", unit, { exclude: property }),
      project("property", property, { testTimeout: 300_000 }),
      project("conformance", conformance, { testTimeout: 300_000 }),
      project("slurm", slurm, { testTimeout: 300_000 }),
      project("azure", azure, { testTimeout: 300_000, globalSetup: "test/rig/set-up.ts" }),
      project("e2e", endToEnd, { testTimeout: 300_000, globalSetup: "test/rig/set-up.ts" }),
    ],
  },
});
