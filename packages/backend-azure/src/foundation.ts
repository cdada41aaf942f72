// What everything else stands on, made from the options and the environment.

import { type BackendContext, err, ok, type Result } from "@flow/core";
import { mountedCheckpoints } from "./attempt/mounted-checkpoint.ts";
import type { Foundation } from "./backend.ts";
import { CleanUp } from "./clean-up.ts";
import { Jobs } from "./jobs.ts";
import { Ledger } from "./ledger.ts";
import { mountAccess } from "./mount-access.ts";
import { containerName, projectName } from "./naming.ts";
import type { AzureOptions } from "./options.ts";
import { batchClient } from "./service/batch-client.ts";
import { azureCliTokens, type Credentials } from "./service/credentials.ts";
import { Retry } from "./service/retry.ts";
import { type BlobClientOptions, blobClient } from "./storage/blob-client.ts";
import { folderOf } from "./storage/folder-store.ts";
import { uploadToContainers } from "./storage/uploads.ts";

/** Fails with a sentence about what is missing. */
export function foundation(context: BackendContext<AzureOptions>): Result<Foundation, string> {
  const { options, ports, root } = context;
  const { clock, env } = ports;
  const wall = (): number => clock.wall();
  const { endpoint, account = accountOf(endpoint), auth, storage } = options;
  const tokens = azureCliTokens(wall);
  const credentials = (name: string, variable: string): Result<Credentials, string> => {
    if (auth === "entra") return ok({ type: "token", token: tokens });
    const key = env[variable];
    return key === undefined || key === ""
      ? err(noKey(name, variable))
      : ok({ type: "key", account: name, key });
  };
  const batchCredentials = credentials(account, options.key_variable);
  if (!batchCredentials.ok) return batchCredentials;
  const storageCredentials = credentials(storage.account, storage.key_variable);
  if (!storageCredentials.ok) return storageCredentials;
  const project = projectName(root);
  const retry = new Retry(clock);
  const batch = batchClient({
    endpoint,
    credentials: batchCredentials.value,
    apiVersion: options.api_version,
  });
  const blobs: BlobClientOptions = {
    endpoint: storage.endpoint ?? `https://${storage.account}.blob.core.windows.net`,
    account: storage.account,
    container: storage.container ?? containerName(project),
    credentials: storageCredentials.value,
    wall,
  };
  const whole = blobClient(blobs);
  const store = storage.container === undefined ? whole : folderOf(whole, containerName(project));
  const folder = `${context.stateDirectory}/backends/${context.name}`;
  const ledger = new Ledger(`${folder}/ledger.jsonl`);
  const openContainer = (container: string) => blobClient({ ...blobs, container });
  const key = auth === "key" ? env[storage.key_variable] : undefined;
  const jobs = new Jobs({
    batch,
    store,
    retry,
    clock,
    ledger,
    options,
    project,
    variable: (name) => env[name],
    upload: () => uploadToContainers({ options, root, retry, openContainer }),
    mountAccess: (until) => mountAccess({ options, retry, key, openContainer }, until),
  });
  const cleanUp = new CleanUp({ batch, store, retry, ledger, project });
  const { captureCode = nothingToCapture } = context;
  const mountedCheckpoint = mountedCheckpoints(options, project, retry, openContainer);
  return ok({
    batch,
    store,
    retry,
    jobs,
    cleanUp,
    folder,
    captureCode,
    mountedCheckpoint,
    openContainer,
  });
}

const nothingToCapture = (): Promise<never> =>
  Promise.reject(new Error("this process only looks after attempts that run"));

const accountOf = (endpoint: string): string => new URL(endpoint).hostname.split(".")[0] ?? "";

const noKey = (account: string, variable: string): string =>
  `the key of the account ${account} is expected in the environment variable ${variable}, which is not set. Set it, or use \`auth: entra\` after \`az login\`.`;
