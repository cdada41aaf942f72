// The conformance suite: what every backend promises, whatever it runs on. It takes the test
// framework as an argument, so that backends outside this repository can use it too. A group is left
// out only where the backend's capabilities say that it cannot be.

import { describeCancel } from "./cancel.ts";
import { describeEnds } from "./ends.ts";
import type { BackendUnderTest, TestApi } from "./fixture.ts";
import { describeLifecycle } from "./lifecycle.ts";
import { describeReattach } from "./reattach.ts";
import { describeRestarts } from "./restarts.ts";

export type { BackendFixture, BackendUnderTest, JobChanges, TestApi } from "./fixture.ts";
export { type Program, type ProgramFiles, shellAction } from "./program.ts";
export { shellFixture } from "./shell-fixture.ts";

/** Declares the suite for one backend. */
export function describeBackend(api: TestApi, name: string, subject: BackendUnderTest): void {
  api.describe(`backend ${name}`, () => {
    describeLifecycle(api, subject);
    describeEnds(api, subject);
    describeCancel(api, subject);
    describeReattach(api, subject);
    describeRestarts(api, subject);
  });
}
