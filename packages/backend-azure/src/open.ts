// Opens the backend: credentials from the environment, clients, and one question to each service, so
// that what is wrong is said before anything is sent.

import { type Backend, type BackendContext, err, ok, type Result } from "@flow/core";
import { type Foundation, openAzure } from "./backend.ts";
import { foundation } from "./foundation.ts";
import type { AzureOptions } from "./options.ts";
import { explainError } from "./service/explain.ts";
import { hasCode } from "./service/service-error.ts";

export async function open(
  context: BackendContext<AzureOptions>,
): Promise<Result<Backend, string>> {
  const made = foundation(context);
  if (!made.ok) return made;
  const trouble = await probe(made.value);
  return trouble === undefined ? ok(openAzure(context, made.value)) : err(trouble);
}

async function probe({ batch, store, retry }: Foundation): Promise<string | undefined> {
  try {
    await retry.call(() => batch.job("flow-probe"));
  } catch (error) {
    const text = explainError(error);
    return hasCode(error, "NoToken") ? text : `Azure Batch does not answer as it should: ${text}`;
  }
  try {
    await retry.call(() => store.exists("flow-probe"));
  } catch (error) {
    return `the storage account ${store.account} does not answer as it should: ${explainError(error)}`;
  }
  return undefined;
}
