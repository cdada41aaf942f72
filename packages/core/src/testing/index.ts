// What tests of flow, and of backends written for it, are made with.

export {
  type BackendFixture,
  type BackendUnderTest,
  describeBackend,
  type JobChanges,
  type Program,
  type ProgramFiles,
  shellAction,
  shellFixture,
  type TestApi,
} from "./describe-backend/index.ts";
export {
  FAKE_CAPABILITIES,
  FakeBackend,
  type FakeBackendOptions,
  type FakeCall,
  type Fault,
} from "./fake-backend.ts";
export { fakeFixture } from "./fake-fixture.ts";
export { FakeJob, type Play, type Player } from "./fake-job.ts";
export { FakeWorld, type FakeWorldOptions } from "./fake-world.ts";
export { jobOf } from "./job-of.ts";
export { MemoryFileSystem, type MemoryFileSystemOptions } from "./memory-file-system.ts";
export { MemoryLocks } from "./memory-locks.ts";
export { planOf, type TaskSpec } from "./plan-of.ts";
export { Safety, Violation } from "./safety.ts";
export type { Intervention, Scenario, ScenarioTask } from "./scenario.ts";
export { type SimulationReport, simulate } from "./simulate.ts";
export type { Fate, Manners } from "./simulated-world.ts";
export { VirtualClock } from "./virtual-clock.ts";
