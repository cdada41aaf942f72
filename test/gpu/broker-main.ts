// The broker as a program of its own, for tests that need one without the command line. It ends by
// itself when a test ends while it starts.

import { silentLog } from "@flow/core";
import { serve } from "@flow/backend-gpu/client";

const serving = await serve({ env: process.env, log: silentLog, idleExitMs: 10_000 });
if (serving.ok) {
  process.stdout.write(`listening on ${serving.value.path}\n`);
  process.once("SIGTERM", () => serving.value.stop());
} else {
  process.stdout.write(`${serving.error}\n`);
  process.exitCode = 4;
}
