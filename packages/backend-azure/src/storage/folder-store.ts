// A folder of a container that is not flow's alone, as a store of its own: projects that share a
// container never see each other's blobs.

import type { BlobStore } from "./blob-store.ts";

/** `folder` without a slash at its end. Its `removeContainer` leaves the container and what else is in it. */
export function folderOf(store: BlobStore, folder: string): BlobStore {
  const inside = (name: string): string => `${folder}/${name}`;
  const list: BlobStore["list"] = async (prefix) => {
    const rows = await store.list(inside(prefix));
    return rows.map((row) => ({ ...row, name: row.name.slice(folder.length + 1) }));
  };
  return {
    account: store.account,
    container: `${store.container}/${folder}`,
    path: (name) => store.path(inside(name)),
    create: () => store.create(),
    exists: (name) => store.exists(inside(name)),
    putNew: (name, content) => store.putNew(inside(name), content),
    putNewFile: (name, path) => store.putNewFile(inside(name), path),
    put: (name, content) => store.put(inside(name), content),
    putFile: (name, path, digest) => store.putFile(inside(name), path, digest),
    digest: (name) => store.digest(inside(name)),
    get: (name) => store.get(inside(name)),
    download: (name, path) => store.download(inside(name), path),
    list,
    remove: (names) => store.remove(names.map(inside)),
    removeContainer: async () => store.remove((await list("")).map(({ name }) => inside(name))),
    link: (name, permissions, until) =>
      store.link(name === undefined ? undefined : inside(name), permissions, until),
  };
}
