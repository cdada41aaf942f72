/** Azurite, Microsoft's own blob server for development, started and stopped for a test. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export interface Azurite {
  /** With the account's name as its path; without a final slash. */
  readonly blobEndpoint: string;
  readonly accountName: string;
  /** Base64; the one that is published for development. */
  readonly accountKey: string;
  readonly connectionString: string;
  close(): Promise<void>;
}

const ACCOUNT = "devstoreaccount1";
const KEY =
  "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const START_MS = 60_000;

/** Starts a blob server that keeps everything in memory, on a free port of this machine. */
export async function startAzurite(): Promise<Azurite> {
  const manifest = createRequire(import.meta.url).resolve("azurite/package.json");
  const program = join(dirname(manifest), "dist/src/blob/main.js");
  const directory = mkdtempSync(join(tmpdir(), "flow-azurite-"));
  const options = ["--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence"];
  const child = spawn(process.execPath, [program, ...options, "--disableTelemetry"], {
    cwd: directory,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const close = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
    rmSync(directory, { recursive: true, force: true });
  };
  const address = await new Promise<string>((resolve, reject) => {
    let output = "";
    const timer = setTimeout(
      () => reject(new Error(`Azurite does not start:\n${output}`)),
      START_MS,
    );
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      const [, found] = /listens on (http:\/\/127\.0\.0\.1:\d+)/.exec(output) ?? [];
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(found);
    });
    void ended.then(() => reject(new Error(`Azurite ended:\n${output}`)));
  }).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  const blobEndpoint = `${address}/${ACCOUNT}`;
  return {
    blobEndpoint,
    accountName: ACCOUNT,
    accountKey: KEY,
    connectionString: `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};BlobEndpoint=${blobEndpoint};`,
    close,
  };
}
