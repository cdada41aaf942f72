/**
 * Mounts a container through the kernel, as blobfuse does on a real node: `rclone mount` writes a blob when
 * a file is closed. Needs root, `/dev/fuse` and rclone.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BatchServiceModels as Models } from "@azure/batch";
import {
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from "@azure/storage-blob";

const START_MS = 30_000;

export interface FuseMount {
  readonly directory: string;
  /** Ends it at once, with what it has cached; nothing below the directory is touched. */
  kill(): void;
}

/** Mounts a container at a directory, which is made; resolves once it is there. */
export async function mountContainer(
  mount: Models.AzureBlobFileSystemConfiguration,
  endpoint: string,
  directory: string,
): Promise<FuseMount> {
  mkdirSync(directory, { recursive: true });
  const cache = mkdtempSync(join(tmpdir(), "flow-fuse-"));
  const child = spawn(
    "rclone",
    ["mount", `:azureblob:${mount.containerName}`, directory, ...OPTIONS],
    {
      stdio: ["ignore", "ignore", "pipe"],
      env: {
        PATH: process.env["PATH"] ?? "",
        HOME: cache,
        RCLONE_CACHE_DIR: cache,
        RCLONE_AZUREBLOB_SAS_URL: `${endpoint}/${mount.containerName}?${signatureOf(mount)}`,
      },
    },
  );
  const kill = (): void => {
    child.kill("SIGKILL");
    spawnSync("umount", ["-l", directory], { stdio: "ignore" });
    rmSync(cache, { recursive: true, force: true });
  };
  try {
    await mounted(child, directory);
  } catch (error) {
    kill();
    throw error;
  }
  return { directory, kill };
}

/** rclone takes another server than Azure's own only in a signed link. */
function signatureOf(mount: Models.AzureBlobFileSystemConfiguration): string {
  const { accountName, accountKey = "", containerName, sasKey } = mount;
  if (sasKey !== undefined) return sasKey.replace(/^\?/, "");
  const permissions = ContainerSASPermissions.parse("racwdl");
  const expiresOn = new Date(Date.now() + 86_400_000);
  const credential = new StorageSharedKeyCredential(accountName, accountKey);
  return generateBlobSASQueryParameters(
    { containerName, permissions, expiresOn },
    credential,
  ).toString();
}

/** Every write is a blob at once,and nothing is remembered that another node may have changed. */
const OPTIONS = [
  "--vfs-cache-mode=writes",
  "--vfs-write-back=0",
  "--dir-cache-time=0",
  "--poll-interval=0",
  "--attr-timeout=0",
];

async function mounted(child: ChildProcess, directory: string): Promise<void> {
  const until = performance.now() + START_MS;
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  while (!readFileSync("/proc/self/mounts", "utf8").includes(` ${directory} fuse`)) {
    if (child.exitCode !== null || performance.now() > until)
      throw new Error(`rclone does not mount ${directory}: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
