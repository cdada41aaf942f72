/** Builds the command line once, before the end-to-end tests, if a source is newer than the last build. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("../../scripts/set-up.mjs", import.meta.url));

export default function setUp(): void {
  execFileSync(process.execPath, [script, "--dev"], { stdio: "inherit" });
}
