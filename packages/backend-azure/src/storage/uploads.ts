// Files and folders of the project that are to lie on a mount before the first task, each sent again
// only when it has changed. Containers are written to from here; what is for a file share or an NFS export
// goes along with the attempts, whose nodes have it mounted.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { each } from "../each.ts";
import type { AzureOptions, MountOptions } from "../options.ts";
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

/** A file or folder of the project, and where on a mount it is to lie. */
interface Upload {
  /** Of the mount. */
  readonly name: string;
  readonly mount: MountOptions;
  /** Name below the mount → path relative to the project's root. */
  readonly files: ReadonlyMap<string, string>;
  /** Folder below the mount that they lie in. */
  readonly folder: string;
}

/** Sends what is for blob containers. Rejects with a ServiceError, also for what is not in the project. */
export async function uploadToContainers(parts: UploadParts): Promise<void> {
  for (const one of uploads(parts)) {
    if (!("blob" in one.mount)) continue;
    await upload(one, one.mount.blob, parts);
  }
}

/** What is for other mounts, by mount: name below it → path relative to the root. Throws a ServiceError. */
export function filesForShares(
  parts: Pick<UploadParts, "options" | "root">,
): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const byMount = new Map<string, Map<string, string>>();
  for (const { name, mount, files } of uploads(parts)) {
    if ("blob" in mount) continue;
    byMount.set(name, new Map([...(byMount.get(name) ?? []), ...files]));
  }
  return byMount;
}

function* uploads({ options, root }: Pick<UploadParts, "options" | "root">): Generator<Upload> {
  for (const [local, place] of Object.entries(options.upload)) {
    const [name = "", ...rest] = place.split("/");
    const mount = options.mounts[name];
    if (mount === undefined) throw refusal(`\`upload\` names the mount \`${name}\`, which is none`);
    const base = local.replace(/^\.\//, "").replace(/\/+$/, "");
    const found = filesBelow(root, base);
    if (found.length === 0) throw refusal(`\`upload\` names ${local}, which is not in the project`);
    const folder = rest.join("/");
    const nameOf = (file: string): string => {
      const inside = file === base ? "" : file.slice(base.length + 1);
      const target = [folder, inside].filter((part) => part !== "").join("/");
      return target === "" ? base : target;
    };
    yield { name, mount, folder, files: new Map(found.map((file) => [nameOf(file), file])) };
  }
}

async function upload(
  { files, folder }: Upload,
  container: string,
  { root, retry, openContainer }: UploadParts,
): Promise<void> {
  const store = openContainer(container);
  await retry.call(() => store.create());
  const there = new Set((await retry.call(() => store.list(folder))).map((blob) => blob.name));
  await each([...files], AT_ONCE, ([name, file]) =>
    send(join(root, file), name, there, store, retry),
  );
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
