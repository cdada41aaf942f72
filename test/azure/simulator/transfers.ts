/**
 * Moves files between nodes and blob storage for tasks: resource files before a command, output files after
 * it. Speaks the storage protocol with nothing but the URL that the task carries.
 */
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import type { BatchServiceModels as Models } from "@azure/batch";
import type { FailureInfo } from "./account.ts";

const STORAGE_VERSION = "2021-08-06";

/** Downloads resource files below a directory; the first that fails is the answer. */
export async function download(
  files: readonly Models.ResourceFile[],
  directory: string,
): Promise<FailureInfo | undefined> {
  for (const file of files) {
    const failure = await downloadOne(file, directory);
    if (failure !== undefined) return failure;
  }
  return undefined;
}

async function downloadOne(
  file: Models.ResourceFile,
  directory: string,
): Promise<FailureInfo | undefined> {
  if (file.httpUrl !== undefined) {
    const path = file.filePath ?? "";
    return await fetchInto(file.httpUrl, inside(directory, path), file.fileMode);
  }
  if (file.storageContainerUrl === undefined)
    return blobFailure("BlobDownloadMiscError", "the account has no auto storage", "");
  const listed = await listBlobs(file.storageContainerUrl, file.blobPrefix ?? "");
  if (!Array.isArray(listed)) return listed;
  for (const name of listed) {
    const path = inside(directory, join(file.filePath ?? "", name));
    const failure = await fetchInto(blobUrl(file.storageContainerUrl, name), path, file.fileMode);
    if (failure !== undefined) return failure;
  }
  return undefined;
}

/** One blob server stands for all storage: a thousand connections at once would time out. */
const AT_ONCE = 32;
const TRIES = 5;
let underWay = 0;
const waiting: (() => void)[] = [];

async function aTurn(): Promise<void> {
  if (underWay === AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  else underWay++;
}

/** Hands the turn on, or gives it back. */
function turnOver(): void {
  const next = waiting.shift();
  if (next === undefined) underWay--;
  else next();
}

/** A connection that this machine is too busy for is tried again. */
async function get(
  url: string,
): Promise<{ readonly response: Response; readonly body: Buffer } | { readonly error: unknown }> {
  await aTurn();
  try {
    for (let tries = 1; ; tries++) {
      try {
        const response = await fetch(url, { headers: { "x-ms-version": STORAGE_VERSION } });
        return { response, body: Buffer.from(await response.arrayBuffer()) };
      } catch (error) {
        if (tries === TRIES) return { error };
      }
    }
  } finally {
    turnOver();
  }
}

async function fetchInto(
  url: string,
  path: string,
  mode: string | undefined,
): Promise<FailureInfo | undefined> {
  const got = await get(url);
  if ("error" in got) return blobFailure("BlobDownloadMiscError", String(got.error), url);
  const { response, body } = got;
  if (!response.ok)
    return blobFailure(downloadCode(response.status), `HTTP ${response.status}`, url);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, body);
  chmodSync(path, Number.parseInt(mode ?? "0770", 8));
  return undefined;
}

function downloadCode(status: number): string {
  if (status === 404) return "BlobNotFound";
  return status === 401 || status === 403 ? "BlobAccessDenied" : "BlobDownloadMiscError";
}

async function listBlobs(container: string, prefix: string): Promise<string[] | FailureInfo> {
  const url = new URL(container);
  const parameters = { restype: "container", comp: "list", prefix };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  const response = await fetch(url, { headers: { "x-ms-version": STORAGE_VERSION } });
  const text = await response.text();
  if (!response.ok)
    return blobFailure(downloadCode(response.status), `HTTP ${response.status}`, container);
  return [...text.matchAll(/<Name>([^<]*)<\/Name>/g)].map(([, name = ""]) => unescapeXml(name));
}

const unescapeXml = (text: string): string =>
  text
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&apos;", "'")
    .replaceAll("&amp;", "&");

/** Uploads what an ended task has to leave behind; the first failure is the answer. */
export async function upload(
  files: readonly Models.OutputFile[],
  workingDirectory: string,
  succeeded: boolean,
): Promise<FailureInfo | undefined> {
  for (const { filePattern, destination, uploadOptions } of files) {
    const wanted = uploadOptions.uploadCondition;
    if (wanted !== "taskcompletion" && (wanted === "tasksuccess") !== succeeded) continue;
    const container = destination.container;
    if (container === undefined) continue;
    const found = matches(workingDirectory, filePattern);
    for (const path of found) {
      const name = blobName(container.path, filePattern, workingDirectory, path);
      const failure = await put(blobUrl(container.containerUrl, name), path);
      if (failure !== undefined) return failure;
    }
  }
  return undefined;
}

function blobName(
  path: string | undefined,
  pattern: string,
  workingDirectory: string,
  file: string,
): string {
  if (path !== undefined && !/[*?[\]]/.test(pattern)) return path;
  return join(path ?? "", relative(workingDirectory, file).replaceAll("../", ""));
}

/** A pattern may lead out of the working directory, to `stdout.txt` one level above. */
function matches(workingDirectory: string, pattern: string): readonly string[] {
  const full = resolve(workingDirectory, pattern);
  if (!/[*?[\]]/.test(pattern)) return isFile(full) ? [full] : [];
  const root = full.slice(0, full.search(/[*?[\]]/)).replace(/[^/]*$/, "");
  return walk(root).filter((file) => globMatches(file, full));
}

function globMatches(file: string, pattern: string): boolean {
  const source = pattern
    .replaceAll(/[.+^${}()|\\]/g, "\\$&")
    .replaceAll(/\*\*\/?|\*|\?/g, (each) =>
      each.startsWith("**") ? ".*" : each === "*" ? "[^/]*" : "[^/]",
    );
  return new RegExp(`^${source}$`).test(file);
}

function walk(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
      const path = join(directory, entry.name);
      return entry.isDirectory() ? walk(path) : entry.isFile() ? [path] : [];
    });
  } catch {
    return [];
  }
}

async function put(url: string, path: string): Promise<FailureInfo | undefined> {
  const headers = { "x-ms-version": STORAGE_VERSION, "x-ms-blob-type": "BlockBlob" };
  try {
    const response = await fetch(url, { method: "PUT", headers, body: readFileSync(path) });
    await response.arrayBuffer();
    if (response.ok) return undefined;
    const code =
      response.status === 404
        ? "FileUploadContainerNotFound"
        : response.status === 403
          ? "FileUploadAccessDenied"
          : "FileUploadMiscError";
    return blobFailure(code, `HTTP ${response.status}`, url);
  } catch (error) {
    return blobFailure("FileUploadMiscError", String(error), url);
  }
}

function blobUrl(container: string, name: string): string {
  const url = new URL(container);
  url.pathname = `${url.pathname.replace(/\/$/, "")}/${name.split("/").map(encodeURIComponent).join("/")}`;
  return url.href;
}

/** The service names the blob without its signature (assumed). */
const blobFailure = (code: string, message: string, url: string): FailureInfo => ({
  category: code.endsWith("MiscError") ? "ServerError" : "UserError",
  code,
  message: `One of the specified Azure Blob(s) could not be moved: ${message}`,
  details: [{ name: "BlobUrl", value: url.split("?")[0] ?? "" }],
});

function inside(directory: string, path: string): string {
  const full = resolve(directory, path);
  if (full !== directory && !full.startsWith(`${directory}/`))
    throw new Error(`\`${path}\` leads out of the task's directory`);
  return full;
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
