// How a host is reached, as the person's own ssh configuration says. OpenSSH itself reads that: its
// includes, matches and patterns mean here what they mean there.

import { readFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { runHere } from "./exec.ts";

/** Where the flow file says the login node is. */
export interface SshOptions {
  readonly host: string;
  readonly user?: string | undefined;
  readonly port?: number | undefined;
  /** A private key. */
  readonly identity?: string | undefined;
  /** A configuration file instead of `~/.ssh/config`. */
  readonly config?: string | undefined;
}

/** What there is to know for a connection. */
export interface SshTarget {
  readonly hostname: string;
  /** The name under which known_hosts has its key. */
  readonly knownAs: string;
  readonly port: number;
  readonly user: string;
  /** Paths of private keys, most wanted first. */
  readonly identities: readonly string[];
  /** Path of an agent's socket. */
  readonly agent: string | undefined;
  /** Texts of the known_hosts files. */
  readonly knownHosts: string;
  /** Hosts to go through, in order. */
  readonly jumps: readonly string[];
}

type Env = Readonly<Record<string, string | undefined>>;

/** Options of `ssh` that say the same. */
export const sshArguments = ({ user, port, identity, config }: SshOptions): readonly string[] => [
  ...(config === undefined ? [] : ["-F", config]),
  ...(user === undefined ? [] : ["-l", user]),
  ...(port === undefined ? [] : ["-p", String(port)]),
  ...(identity === undefined ? [] : ["-i", identity, "-o", "IdentitiesOnly=yes"]),
];

/** Without an `ssh` on this machine, what the flow file says and the usual places. */
export async function resolveTarget(options: SshOptions, env: Env): Promise<SshTarget> {
  const { code, stdout } = await runHere(
    ["ssh", ...sshArguments(options), "-G", options.host],
    "",
    {
      cwd: "/",
      env,
    },
  );
  return targetOf(code === 0 ? stdout : "", options, env);
}

/** From what `ssh -G` prints. */
export function targetOf(printed: string, options: SshOptions, env: Env): SshTarget {
  const settings = new Map<string, string[]>();
  for (const line of printed.split("\n")) {
    const [, name, value] = /^(\S+) (.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    settings.set(name, [...(settings.get(name) ?? []), value]);
  }
  const one = (name: string): string | undefined => settings.get(name)?.[0];
  const hostname = one("hostname") ?? options.host;
  const files = ["userknownhostsfile", "globalknownhostsfile"].flatMap(
    (name) => one(name)?.split(/\s+/) ?? [],
  );
  const jump = one("proxyjump");
  const agent = one("identityagent") ?? "SSH_AUTH_SOCK";
  return {
    hostname,
    knownAs: one("hostkeyalias") ?? hostname,
    port: Number(one("port") ?? options.port ?? 22),
    user: one("user") ?? options.user ?? userInfo().username,
    identities: (settings.get("identityfile") ?? [options.identity ?? "~/.ssh/id_ed25519"]).map(
      home,
    ),
    agent:
      agent === "SSH_AUTH_SOCK" ? env["SSH_AUTH_SOCK"] : agent === "none" ? undefined : home(agent),
    knownHosts: (files.length > 0 ? files : ["~/.ssh/known_hosts"]).map(textOf).join("\n"),
    jumps: jump === undefined || jump === "none" ? [] : jump.split(","),
  };
}

/** `[user@]host[:port]` of a jump. */
export function jumpOptions(jump: string, config: string | undefined): SshOptions {
  const [, user, host = jump, port] =
    /^(?:ssh:\/\/)?(?:([^@]+)@)?(.+?)(?::(\d+))?$/.exec(jump) ?? [];
  return { host, user, port: port === undefined ? undefined : Number(port), config };
}

const home = (path: string): string => path.replace(/^~(?=\/)/, homedir());

function textOf(path: string): string {
  try {
    return readFileSync(home(path), "utf8");
  } catch {
    return "";
  }
}
