/** Files on nodes as the service shows them: listed, read whole or in ranges, described, deleted. */
import { readdirSync, readFileSync, rmSync, type Stats, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { ServiceError } from "./errors.ts";
import type { Wire } from "./wire.ts";

const TEXT = /\.(txt|log|json|yaml|yml|csv|sh|py|md)$/;

/** Entries below a directory; `url` is that of its `files`. */
export function listFiles(directory: string, recursive: boolean, url: string): readonly Wire[] {
  const found: Wire[] = [];
  const visit = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true }).sort(byName)) {
      const path = join(folder, entry.name);
      const wire = fileWire(path, relative(directory, path), url);
      if (wire === undefined) continue;
      found.push(wire);
      if (recursive && wire["isDirectory"] === true) visit(path);
    }
  };
  visit(directory);
  return found;
}

const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);

function fileWire(path: string, name: string, url: string): Wire | undefined {
  const stats = look(path);
  if (stats === undefined) return undefined; // Gone meanwhile, or a link to nowhere.
  if (stats.isDirectory()) return { name, url: `${url}/${name}`, isDirectory: true };
  return {
    name,
    url: `${url}/${name}`,
    isDirectory: false,
    properties: {
      creationTime: stats.birthtime.toISOString(),
      lastModified: stats.mtime.toISOString(),
      contentLength: String(stats.size),
      contentType: contentType(name),
      fileMode: (stats.mode & 0o777777).toString(8).padStart(7, "0"),
    },
  };
}

export interface FileAnswer {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** A file with the headers of the service; the range is that of `ocp-range`. */
export function readFile(
  directory: string,
  name: string,
  url: string,
  range: string | undefined,
): FileAnswer {
  const path = inside(directory, name);
  const stats = look(path);
  if (stats === undefined) throw fileNotFound();
  const headers = {
    "last-modified": stats.mtime.toUTCString(),
    "ocp-creation-time": stats.birthtime.toUTCString(),
    "ocp-batch-file-isdirectory": stats.isDirectory() ? "True" : "False",
    "ocp-batch-file-url": encodeURIComponent(`${url}/${name}`),
    "ocp-batch-file-mode": (stats.mode & 0o777777).toString(8).padStart(7, "0"),
    "content-type": contentType(name),
  };
  if (stats.isDirectory()) return { headers, body: Buffer.alloc(0) };
  const content = readFileSync(path);
  return { headers, body: range === undefined ? content : cut(content, range) };
}

function cut(content: Buffer, range: string): Buffer {
  const match = /^bytes=(\d+)-(\d*)$/.exec(range);
  if (match === null)
    throw new ServiceError(
      400,
      "InvalidHeaderValue",
      "The value provided for one of the HTTP headers was not in the correct format.",
      { HeaderName: "ocp-range", HeaderValue: range },
    );
  const start = Number(match[1]);
  const end = match[2] === "" ? content.length : Number(match[2]) + 1;
  if (start >= content.length && content.length + start > 0)
    throw new ServiceError(
      416,
      "InvalidRange",
      "The range specified is invalid for the current size of the resource.",
    );
  return content.subarray(start, end);
}

export function deleteFile(directory: string, name: string, recursive: boolean): void {
  const path = inside(directory, name);
  const stats = look(path);
  if (stats === undefined) throw fileNotFound();
  if (stats.isDirectory() && !recursive && readdirSync(path).length > 0)
    throw new ServiceError(409, "FileOrDirectoryNotEmpty", "The specified directory is not empty.");
  rmSync(path, { recursive: true });
}

const contentType = (name: string): string =>
  TEXT.test(name) ? "text/plain" : "application/octet-stream";

function inside(directory: string, name: string): string {
  const path = resolve(directory, name);
  if (path !== directory && !path.startsWith(`${directory}/`)) throw fileNotFound();
  return path;
}

const look = (path: string): Stats | undefined => statSync(path, { throwIfNoEntry: false });

const fileNotFound = (): ServiceError =>
  new ServiceError(404, "FileNotFound", "The specified file does not exist.");
