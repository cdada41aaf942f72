/** One backend over an account of its own that is empty before and after, for the tests of its promises. */
import type { Backend } from "@flow/core";
import { shellFixture } from "@flow/core/testing";
import { clientFor } from "./client.ts";
import { captureAll, openBackend, type Services } from "./open-backend.ts";

type Fixture = Awaited<ReturnType<typeof shellFixture>>;
type Bench = { readonly backend: Backend; readonly fixture: Fixture };

/** A test that a planted bug breaks must not take long about it. */
export const timeout = 120_000;

/** An action that succeeds at once. */
export const success = (name: string) => ({ name, does: "exit", code: 0 }) as const;
/** An action that runs until the job is released. */
export const hold = { name: "hold", does: "hold" } as const;

/** Runs a test with a backend over the services of its file. */
export const benchOf =
  (services: Services) =>
  async (options: object, test: (bench: Bench) => Promise<void>): Promise<void> => {
    const fixture = await shellFixture((root) =>
      openBackend(services, root, options, captureAll(root)),
    );
    const backend = await fixture.open();
    try {
      await test({ backend, fixture });
    } finally {
      services.simulator.faults.calm();
      services.simulator.setAllocation({});
      await backend[Symbol.asyncDispose]();
      await emptyAccount(services);
      await fixture[Symbol.asyncDispose]();
    }
  };

async function emptyAccount({ simulator }: Services): Promise<void> {
  const client = clientFor(simulator);
  for (const { id } of simulator.inspect().jobs)
    await client.job.deleteMethod(String(id)).catch(() => undefined);
  for (const { id } of simulator.inspect().pools)
    await client.pool.deleteMethod(String(id)).catch(() => undefined);
  await simulator.until("an empty account", ({ jobs, pools }) => jobs.length + pools.length === 0);
}
