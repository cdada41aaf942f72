// What can be seen from here of checkpoints that lie on a mount.

import { type AttemptKey, type AttemptPlace, parseAttemptKey } from "@flow/core";
import { idPrefix } from "../naming.ts";
import type { AzureOptions } from "../options.ts";
import type { Retry } from "../service/retry.ts";
import type { BlobStore } from "../storage/blob-store.ts";

/** The folder of a task on the state mount; its `out` and `ckpt` lie in it. */
export const mountedFolder = (project: string, key: AttemptKey): string =>
  `${idPrefix(project)}/${parseAttemptKey(key)?.task ?? key}`;

/**
 * Lists a task's checkpoint as text that changes with it. A blob container of the account can be
 * listed; of other mounts it can only be said that there may be something.
 */
export function mountedCheckpoints(
  options: AzureOptions,
  project: string,
  retry: Retry,
  open: (container: string) => BlobStore,
): (place: AttemptPlace) => Promise<string | undefined> {
  const mount = options.mounts[options.state ?? ""];
  const isOurs =
    mount !== undefined &&
    "blob" in mount &&
    (mount.account ?? options.storage.account) === options.storage.account;
  if (!isOurs) return async () => "The checkpoint lies on a mount of the nodes.\n";
  const store = open(mount.blob);
  return async ({ key }) => {
    const found = await retry.call(() => store.list(`${mountedFolder(project, key)}/ckpt/`));
    const lines = found.map(({ name, bytes, tag }) => `${name} ${bytes} ${tag}\n`);
    return lines.length === 0 ? undefined : lines.join("");
  };
}
