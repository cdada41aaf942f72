// Files and folders of the project that are to lie on a mount before the first task, each sent again
// only when it has changed.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { each } from "../each.ts";
import type { AzureOptions } from "../options.ts";
import type { Retry } from "../service/retry.ts";
import { ServiceError } from "../service/service-error.ts";
import { filesBelow } from "./archives.ts";
import type { BlobStore } from "./blob-store.ts";

const AT_ONCE = 8;

export interface UploadParts {
  readonly options: Pick<AzureOptions, "upload" | "mounts">;
  readonly root: string;
  readonly retry: Retry;
  openContainer(name: string): BlobStore;
}

/** Rejects with a ServiceError, also for what cannot be sent from here. */
export async function uploadToMounts(parts: UploadParts): Promise<void> {
  for (const [local, place] of Object.entries(parts.options.upload))
    await upload(local, place, parts);
}

async function upload(
  local: string,
  place: string,
  { options, root, retry, openContainer }: UploadParts,
): Promise<void> {
  const [name = "", ...rest] = place.split("/");
  const mount = options.mounts[name];
  if (mount === undefined || !("blob" in mount))
    throw refusal(
      `\`upload\` can only write to a blob container, and the mount \`${name}\` is none; copy ${local} there by hand`,
    );
  const base = local.replace(/^\.\//, "").replace(/\/+$/, "");
  const files = filesBelow(root, base);
  if (files.length === 0) throw refusal(`\`upload\` names ${local}, which is not in the project`);
  const store = openContainer(mount.blob);
  await retry.call(() => store.create());
  const folder = rest.join("/");
  const there = new Set((await retry.call(() => store.list(folder))).map((blob) => blob.name));
  await each(files, AT_ONCE, async (file) => {
    const inside = file === base ? "" : file.slice(base.length + 1);
    const target = [folder, inside].filter((part) => part !== "").join("/");
    await send(join(root, file), target === "" ? base : target, there, store, retry);
  });
}

/** A blob keeps the digest of what was sent, so that the same content travels once. */
async function send(
  path: string,
  name: string,
  there: ReadonlySet<string>,
  store: BlobStore,
  retry: Retry,
): Promise<void> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  const digest = hash.digest("hex");
  if (there.has(name) && (await retry.call(() => store.digest(name))) === digest) return;
  await retry.call(() => store.putFile(name, path, digest));
}

const refusal = (message: string): ServiceError =>
  new ServiceError("Upload", message, { status: 400 });
