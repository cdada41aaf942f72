// Which keys a host is known by. A host whose key is not known, or is known to be another, is never
// spoken to.

import { createHmac } from "node:crypto";

export interface KnownKey {
  /** `ssh-ed25519`, … */
  readonly type: string;
  readonly key: Buffer;
  readonly revoked: boolean;
}

/** The keys in the text of known_hosts files under this name; `port` other than 22 is part of the name. */
export function knownKeys(text: string, host: string, port: number): readonly KnownKey[] {
  const name = port === 22 ? host : `[${host}]:${port}`;
  return text.split("\n").flatMap((line) => {
    const words = line.trim().split(/\s+/);
    const marker = words[0]?.startsWith("@") ? words.shift() : undefined;
    const [patterns, type, key] = words;
    if (key === undefined || patterns === undefined || type === undefined) return [];
    if (patterns.startsWith("#") || marker === "@cert-authority" || !matches(patterns, name))
      return [];
    return [{ type, key: Buffer.from(key, "base64"), revoked: marker === "@revoked" }];
  });
}

function matches(patterns: string, name: string): boolean {
  const hashed = /^\|1\|([^|]+)\|(.+)$/.exec(patterns);
  if (hashed !== null) {
    const [, salt = "", hash = ""] = hashed;
    return createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest("base64") === hash;
  }
  let found = false;
  for (const pattern of patterns.split(",")) {
    const negated = pattern.startsWith("!");
    if (!glob(negated ? pattern.slice(1) : pattern).test(name)) continue;
    if (negated) return false;
    found = true;
  }
  return found;
}

const glob = (pattern: string): RegExp =>
  new RegExp(
    `^${pattern
      .replaceAll(/[.+^${}()|[\]\\]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".")}$`,
    "i",
  );

/** Signature algorithms that prove a key of each type. */
const ALGORITHMS: Readonly<Record<string, readonly string[]>> = {
  "ssh-rsa": ["rsa-sha2-512", "rsa-sha2-256"],
};

/** What to ask the host to prove itself with: only what can be checked. */
export const hostKeyAlgorithms = (keys: readonly KnownKey[]): readonly string[] => [
  ...new Set(keys.flatMap(({ type }) => ALGORITHMS[type] ?? [type])),
];

/** Whether the host's key is one it is known by. */
export const isKnown = (keys: readonly KnownKey[], key: Buffer): boolean =>
  keys.some((known) => known.key.equals(key) && !known.revoked) &&
  !keys.some((known) => known.key.equals(key) && known.revoked);
