/** The fake backend keeps what every backend promises, so tests that use it mean something. */

import { nodeClock } from "@flow/core";
import { describeBackend, FAKE_CAPABILITIES, fakeFixture } from "@flow/core/testing";
import { describe, expect, it } from "vitest";

describeBackend({ describe, it, expect }, "fake", {
  hasConnection: true,
  capabilities: FAKE_CAPABILITIES,
  make: () => Promise.resolve(fakeFixture(nodeClock)),
});

const WITHOUT_DEDUPE = {
  ...FAKE_CAPABILITIES,
  idempotentSubmit: false,
  visibilityDelayMs: 20,
  pushes: false,
  logs: "after",
  maxBatch: 1,
} as const;

describeBackend({ describe, it, expect }, "fake, as a queue that knows no keys", {
  hasConnection: true,
  capabilities: WITHOUT_DEDUPE,
  make: () => Promise.resolve(fakeFixture(nodeClock, { capabilities: WITHOUT_DEDUPE })),
});
