/** The official client of Azure Batch, set up for a simulated account. */
import { BatchServiceClient, BatchSharedKeyCredentials } from "@azure/batch";
import type { BatchSimulator } from "./simulator/index.ts";

/** A client whose own retries are off, so that tests see every answer. */
export function clientFor(simulator: BatchSimulator): BatchServiceClient {
  const credentials = new BatchSharedKeyCredentials(simulator.accountName, simulator.accountKey);
  return new BatchServiceClient(credentials, simulator.endpoint, { noRetryPolicy: true });
}
