// What lets the nodes of a pool use its mounts: a signature for one container that ends with the run
// where that will do, the account's key only where the service knows nothing less.

import type { AzureOptions, MountOptions } from "./options.ts";
import type { Retry } from "./service/retry.ts";
import { ServiceError } from "./service/service-error.ts";
import type { BlobStore } from "./storage/blob-store.ts";
import type { MountAccess } from "./translate/pool.ts";

export interface MountAccessParts {
  readonly options: AzureOptions;
  readonly retry: Retry;
  /** The storage account's key; undefined without one. */
  readonly key: string | undefined;
  openContainer(name: string): BlobStore;
}

/** By mount name. `until`: when the pool ends (Unix milliseconds); undefined: it stays. */
export async function mountAccess(
  parts: MountAccessParts,
  until: number | undefined,
): Promise<Readonly<Record<string, MountAccess>>> {
  const found: Record<string, MountAccess> = {};
  for (const [name, mount] of Object.entries(parts.options.mounts)) {
    const access = await accessOf(name, mount, parts, until);
    if (access !== undefined) found[name] = access;
  }
  return found;
}

async function accessOf(
  name: string,
  mount: MountOptions,
  { options, retry, key, openContainer }: MountAccessParts,
  until: number | undefined,
): Promise<MountAccess | undefined> {
  if ("nfs" in mount || ("identity" in mount && mount.identity !== undefined)) return undefined;
  const account = mount.account ?? options.storage.account;
  if (account !== options.storage.account)
    throw refusal(
      `the mount \`${name}\` lies in the account ${account}, whose key flow does not have; give it an \`identity\``,
    );
  if ("blob" in mount && until !== undefined) {
    const link = await retry.call(() => openContainer(mount.blob).link(undefined, "racwdl", until));
    return { sasKey: link.slice(link.indexOf("?") + 1) };
  }
  if (key === undefined)
    throw refusal(
      `the mount \`${name}\` needs the key of the account ${account}, and \`auth: entra\` has none; give it an \`identity\`, or use \`auth: key\``,
    );
  return { accountKey: key };
}

const refusal = (message: string): ServiceError =>
  new ServiceError("MountAccess", message, { status: 400 });
