/** A simulated account with a real blob server, for the tests of one file. */
import { afterAll, beforeAll } from "vitest";
import { type Azurite, startAzurite } from "./azurite.ts";
import type { Services } from "./open-backend.ts";
import { type SimulatorOptions, startBatchSimulator } from "./simulator/index.ts";

/** Starts both before the file's tests and stops them after; to be read inside tests. */
export function useServices(options: SimulatorOptions = {}): Services {
  let azurite: Azurite | undefined;
  let simulator: Services["simulator"] | undefined;
  beforeAll(async () => {
    azurite = await startAzurite();
    const blobEndpoints = { [azurite.accountName]: azurite.blobEndpoint };
    simulator = await startBatchSimulator({ ...options, blobEndpoints });
  });
  afterAll(async () => {
    try {
      await simulator?.close();
    } finally {
      await azurite?.close();
    }
  });
  return {
    get azurite() {
      if (azurite === undefined) throw new Error("the blob server is not there yet");
      return azurite;
    },
    get simulator() {
      if (simulator === undefined) throw new Error("the account is not there yet");
      return simulator;
    },
  };
}
