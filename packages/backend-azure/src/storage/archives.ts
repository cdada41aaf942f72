// The archives that nodes unpack: flow's own scripts, the project's code, the inputs of a task, what
// earlier attempts left. The first three are named by their content and sent once.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  createReadStream,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { layout, type TreeId, tarOf } from "@flow/core";
import { flowRunnerPath, flowTaskPath } from "@flow/task-py";
import { digestOf } from "../naming.ts";
import type { Retry } from "../service/retry.ts";
import type { BlobStore } from "./blob-store.ts";
import { packTar } from "./tar.ts";

const run = promisify(execFile);

const SUPPORT: Readonly<Record<string, string>> = {
  "support/node.sh": fileURLToPath(new URL("../../node/node.sh", import.meta.url)),
  "support/flow-runner.sh": flowRunnerPath,
  "support/python/flow_task.py": flowTaskPath,
};

export interface ArchivesOptions {
  readonly store: BlobStore;
  readonly retry: Retry;
  readonly root: string;
  /** A folder of flow's own on the same disk as the project. */
  readonly scratch: string;
  readonly captureCode: () => Promise<TreeId>;
}

export class Archives {
  readonly #options: ArchivesOptions;
  /** Name → the upload under way or done. */
  readonly #sent = new Map<string, Promise<void>>();
  readonly #digests = new Map<string, { readonly signature: string; readonly digest: string }>();
  #support: Promise<string> | undefined;
  #code: Promise<TreeId> | undefined;
  #sentCode: Promise<string> | undefined;

  constructor(options: ArchivesOptions) {
    this.#options = options;
  }

  /** Somebody may have removed what was sent: it is looked for, and sent again, when it is next needed. */
  forget(): void {
    this.#sent.clear();
    this.#support = undefined;
    this.#sentCode = undefined;
  }

  /** Name of the blob with flow's scripts. */
  support(): Promise<string> {
    this.#support ??= this.#sendSupport();
    return this.#support;
  }

  /** Name of the blob with the code as it was when this was first asked. Rejects with SnapshotError. */
  code(): Promise<string> {
    this.#sentCode ??= this.#sendCode();
    return this.#sentCode;
  }

  /**
   * Name of the blob with these files and folders (relative to the root); undefined when none of them
   * is there.
   */
  async inputs(paths: readonly string[]): Promise<string | undefined> {
    const { root } = this.#options;
    const files = [...new Set(paths)].flatMap((path) => filesBelow(root, path)).sort();
    if (files.length === 0) return undefined;
    const parts = [];
    for (const file of files) parts.push(file, await this.#digest(join(root, file)));
    const name = `objects/inputs-${digestOf(...parts).slice(0, 32)}.tar.gz`;
    await this.#sendOnce(name, () => this.#packed(name, root, files));
    return name;
  }

  /** Name of the blob with these files, each under a name of its own: name → path relative to the root. */
  async named(files: ReadonlyMap<string, string>): Promise<string> {
    const { root, scratch } = this.#options;
    const parts = [];
    for (const [name, file] of files) parts.push(name, await this.#digest(join(root, file)));
    const blob = `objects/upload-${digestOf(...parts).slice(0, 32)}.tar.gz`;
    await this.#sendOnce(blob, () =>
      inScratch(scratch, async (folder) => {
        for (const [name, file] of files) {
          mkdirSync(dirname(join(folder, name)), { recursive: true });
          symlinkSync(join(root, file), join(folder, name));
        }
        await this.#packed(blob, folder, [...files.keys()], ["-h"]);
      }),
    );
    return blob;
  }

  /** Sends folders under other names, as one blob of this name. */
  async renamed(name: string, folders: Readonly<Record<string, string>>): Promise<void> {
    const { store, retry, scratch } = this.#options;
    await inScratch(scratch, async (folder) => {
      for (const [short, path] of Object.entries(folders)) symlinkSync(path, join(folder, short));
      const archive = join(folder, "archive.tar.gz");
      const names = Object.keys(folders).map((short) => `${short}/.`);
      await run("tar", ["-czf", archive, "-C", folder, ...names]);
      await retry.call(() => store.putNewFile(name, archive));
    });
  }

  #sendOnce(name: string, send: () => Promise<void>): Promise<void> {
    const known = this.#sent.get(name);
    if (known !== undefined) return known;
    const sending = send();
    this.#sent.set(name, sending);
    // What failed may be tried again.
    sending.catch(() => this.#sent.delete(name));
    return sending;
  }

  async #sendSupport(): Promise<string> {
    const files = Object.entries(SUPPORT).map(([path, source]) => ({
      path,
      data: readFileSync(source),
    }));
    const archive = packTar(files);
    const name = `objects/support-${createHash("sha256").update(archive).digest("hex").slice(0, 32)}.tar`;
    const { store, retry } = this.#options;
    await retry.call(() => store.putNew(name, archive));
    return name;
  }

  async #sendCode(): Promise<string> {
    const { store, retry, root, captureCode, scratch } = this.#options;
    this.#code ??= captureCode();
    const tree = await this.#code;
    const name = `objects/code-${tree.slice(0, 32)}.tar`;
    if (await retry.call(() => store.exists(name))) return name;
    await inScratch(scratch, async (folder) => {
      const path = join(folder, "code.tar");
      const file = await open(path, "w");
      await pipeline(tarOf(layout(root), tree), file.createWriteStream());
      await retry.call(() => store.putNewFile(name, path));
    });
    return name;
  }

  async #packed(
    name: string,
    base: string,
    files: readonly string[],
    options: readonly string[] = [],
  ): Promise<void> {
    const { store, retry, scratch } = this.#options;
    if (await retry.call(() => store.exists(name))) return;
    await inScratch(scratch, async (folder) => {
      const list = join(folder, "list");
      const archive = join(folder, "archive.tar.gz");
      writeFileSync(list, files.map((file) => `${file}\0`).join(""));
      await run("tar", [...options, "-czf", archive, "-C", base, "--null", "-T", list]);
      await retry.call(() => store.putNewFile(name, archive));
    });
  }

  /** Content of a file, read again only when its stat signature has changed. */
  async #digest(path: string): Promise<string> {
    const { size, mtimeMs, ino } = statSync(path);
    const signature = `${size} ${mtimeMs} ${ino}`;
    const known = this.#digests.get(path);
    if (known?.signature === signature) return known.digest;
    const hash = createHash("sha256");
    await pipeline(createReadStream(path), hash);
    const digest = hash.digest("hex");
    this.#digests.set(path, { signature, digest });
    return digest;
  }
}

/** Unpacks an archive below a folder; entries cannot leave it. */
export async function unpack(archive: string, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await run("tar", ["-xzf", archive, "-C", folder, "--no-same-owner"]);
}

/** A folder for a while. */
export async function inScratch<T>(
  scratch: string,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  mkdirSync(scratch, { recursive: true });
  const folder = mkdtempSync(join(scratch, "a-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Files of a path in the project, itself one or a folder; nothing for what is not there or not in it. */
export function filesBelow(root: string, path: string): readonly string[] {
  if (path.startsWith("/") || path.split("/").includes("..")) return [];
  const plain = path.replace(/\/+$/, "");
  const stat = lstatSync(join(root, plain), { throwIfNoEntry: false });
  if (stat === undefined) return [];
  if (statSync(join(root, plain), { throwIfNoEntry: false })?.isDirectory() !== true)
    return stat.isFile() || stat.isSymbolicLink() ? [plain] : [];
  return readdirSync(join(root, plain)).flatMap((name) => filesBelow(root, `${plain}/${name}`));
}
