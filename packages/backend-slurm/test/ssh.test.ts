/** Known hosts, the person's ssh configuration, and commands as a shell's input. */
import { createHmac } from "node:crypto";
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { hostKeyAlgorithms, isKnown, knownKeys } from "../src/transport/known-hosts.ts";
import {
  bytesSinceBegin,
  inDirectory,
  shellText,
  sinceBegin,
} from "../src/transport/remote-shell.ts";
import { jumpOptions, targetOf } from "../src/transport/ssh-config.ts";

const key = (text: string) => Buffer.from(text).toString("base64");

describe("known_hosts", () => {
  const salt = Buffer.from("salt");
  const hashed = `|1|${salt.toString("base64")}|${createHmac("sha1", salt).update("h.org").digest("base64")}`;
  const text = `# a comment
h.org,10.0.0.1 ssh-ed25519 ${key("one")}
[h.org]:2222 ssh-ed25519 ${key("two")}
${hashed} ssh-rsa ${key("three")}
*.net,!bad.net ecdsa-sha2-nistp256 ${key("four")}
@revoked h.org ssh-ed25519 ${key("five")}
@cert-authority * ssh-ed25519 ${key("six")}
`;

  it.each([
    ["h.org", 22, ["one", "three", "five"]],
    ["10.0.0.1", 22, ["one"]],
    ["h.org", 2222, ["two"]],
    ["x.net", 22, ["four"]],
    ["bad.net", 22, []],
    ["h_org", 22, []],
  ])("%s:%d", (host, port, keys) => {
    expect(knownKeys(text, host, port).map((known) => known.key.toString())).toEqual(keys);
  });

  it("a revoked key is not known, and only what is known is asked for", () => {
    const keys = knownKeys(text, "h.org", 22);
    expect(isKnown(keys, Buffer.from("one"))).toBe(true);
    expect(isKnown(keys, Buffer.from("five"))).toBe(false);
    expect(isKnown(keys, Buffer.from("two"))).toBe(false);
    expect(hostKeyAlgorithms(keys)).toEqual(["ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256"]);
  });
});

describe("a target", () => {
  it("is what ssh says", () => {
    const printed = `user me
hostname login.example.org
port 2222
proxyjump a,b:23
identityfile /k/one
identityfile /k/two
identityagent none
`;
    expect(targetOf(printed, { host: "login" }, { SSH_AUTH_SOCK: "/agent" })).toMatchObject({
      hostname: "login.example.org",
      knownAs: "login.example.org",
      port: 2222,
      user: "me",
      identities: ["/k/one", "/k/two"],
      agent: undefined,
      jumps: ["a", "b:23"],
    });
  });

  it("is what the flow file says where there is no ssh", () => {
    expect(
      targetOf("", { host: "h", user: "u", port: 7, identity: "/k" }, { SSH_AUTH_SOCK: "/agent" }),
    ).toMatchObject({
      hostname: "h",
      port: 7,
      user: "u",
      identities: ["/k"],
      agent: "/agent",
      jumps: [],
    });
  });

  it("of a jump may have a user and a port", () => {
    expect(jumpOptions("u@h:23", undefined)).toMatchObject({ user: "u", host: "h", port: 23 });
    expect(jumpOptions("h", "/c")).toMatchObject({ user: undefined, host: "h", port: undefined });
  });
});

describe("a command for a shell", () => {
  it("keeps every word, variable and line of input as it is", () => {
    const text = shellText(
      ["sh", "-c", 'printf "%s|" "$1" "$A"; cat', "x", "it's $HOME"],
      "one\n'two",
      {
        cwd: "/",
        env: { A: '"q" `x` \\' },
      },
    );
    const { stdout, status } = spawnSync("sh", ["-s"], { input: text, encoding: "utf8" });
    expect(status).toBe(0);
    expect(sinceBegin(stdout)).toBe("it's $HOME|\"q\" `x` \\|one\n'two\n");
  });

  /** A person's shell that has much to say before it runs what it is told to. */
  const welcoming = (command: string, input: string) =>
    spawnSync("sh", ["-c", `echo "welcome | to | it"; echo beware >&2; ${command}`], {
      input,
      encoding: "utf8",
    });

  it("prints what it prints, not what the person's shell says first", () => {
    const text = shellText(["sh", "-c", "echo out; echo err >&2"], "", { cwd: "/", env: {} });
    const { stdout, stderr } = welcoming("exec sh -s", text);
    expect([stdout, stderr].map(sinceBegin)).toEqual(["out\n", "err\n"]);
  });

  it("that is a script has its own input and output, byte for byte", async () => {
    const { command, input } = inDirectory("/tmp", `pwd; printf "%s" 'it'"'"'s !x'; cat`, [
      Buffer.from("one"),
      Buffer.from("\ntwo\n"),
    ]);
    const given: Uint8Array[] = [];
    for await (const chunk of input) given.push(chunk);
    const { stdout } = welcoming(command, Buffer.concat(given).toString());
    let seen = "";
    const output = bytesSinceBegin((chunk) => {
      seen += chunk.toString();
    });
    // In pieces that part the mark, too.
    for (const byte of Buffer.from(stdout)) output(Buffer.from([byte]));
    expect(seen).toBe("/tmp\nit's !xone\ntwo\n");
  });

  it("says what a shell says that never began it", () => {
    expect(sinceBegin("This account is not available.\n")).toBe("This account is not available.\n");
  });

  it("does not run where it should not", () => {
    const text = shellText(["true"], "", { cwd: "/no such place", env: {} });
    expect(spawnSync("sh", ["-s"], { input: text }).status).toBe(255);
  });
});
