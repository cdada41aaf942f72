// Who flow is to the services: an account and its key, or a token of Microsoft Entra ID that the
// Azure command line of this machine hands out. Neither is ever written down.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { ServiceError } from "./service-error.ts";

export type Credentials =
  | { readonly type: "key"; readonly account: string; readonly key: string }
  | { readonly type: "token"; readonly token: TokenSource };

/** A token for one of the services, asked for again shortly before it ends. */
export type TokenSource = (resource: string) => Promise<Token>;

interface Token {
  readonly text: string;
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

export const BATCH_RESOURCE = "https://batch.core.windows.net/";
export const STORAGE_RESOURCE = "https://storage.azure.com/";

const RENEW_BEFORE_MS = 300_000;

const run = promisify(execFile);

/** Tokens from `az account get-access-token`: whoever `az login` made of this machine's user. */
export function azureCliTokens(wall: () => number): TokenSource {
  const known = new Map<string, Promise<Token>>();
  return async (resource) => {
    const last = known.get(resource);
    if (last !== undefined) {
      const token = await last.catch(() => undefined);
      if (token !== undefined && token.expiresAt - RENEW_BEFORE_MS > wall()) return token;
    }
    const next = askAzureCli(resource);
    known.set(resource, next);
    return next;
  };
}

async function askAzureCli(resource: string): Promise<Token> {
  const args = ["account", "get-access-token", "--resource", resource, "--output", "json"];
  try {
    const { stdout } = await run("az", args, { timeout: 60_000 });
    const answer = JSON.parse(stdout) as { accessToken: string; expires_on?: number };
    const expiresAt = (answer.expires_on ?? 0) * 1000;
    return { text: answer.accessToken, expiresAt };
  } catch (error) {
    throw new ServiceError("NoToken", noToken(error as NodeJS.ErrnoException), { status: 401 });
  }
}

const noToken = (error: NodeJS.ErrnoException): string =>
  error.code === "ENOENT"
    ? "`az` is not installed, and `auth: entra` takes its tokens from it; install the Azure command line or use account keys"
    : "`az account get-access-token` gave no token; run `az login`";
