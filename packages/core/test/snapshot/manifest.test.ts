import { describe, expect, it } from "vitest";
import {
  parseIndex,
  parseObjects,
  parseStatus,
  withoutCredentials,
} from "../../src/snapshot/git-output.ts";
import { escapingLinks } from "../../src/snapshot/links.ts";
import {
  type CodeEntry,
  diffManifests,
  encodeManifest,
  parseManifest,
  treeOf,
} from "../../src/snapshot/manifest.ts";

const DIGEST = "0".repeat(64);
const file = (path: string, content: string = DIGEST): CodeEntry => ({
  path,
  kind: "file",
  size: 1,
  content,
});
const link = (path: string, text: string): CodeEntry => ({
  path,
  kind: "link",
  size: text.length,
  content: text,
});

describe("a manifest", () => {
  it("has one text, whatever the order, and comes back whole", () => {
    const entries = [link("a/l", "../b"), file("b"), file("ü")];
    const text = encodeManifest([...entries].reverse());
    expect(text).toBe(encodeManifest(entries));
    expect(parseManifest(treeOf(text), text)).toEqual(entries);
  });

  it.each([
    [[file("../x")], 'holds the path "../x", which leads elsewhere'],
    [[file("/etc/x")], 'holds the path "/etc/x", which leads elsewhere'],
    [[file("a//b")], 'holds the path "a//b", which leads elsewhere'],
    [[file("a\0b")], 'holds the path "a\\u0000b", which leads elsewhere'],
    [[file("a"), file("a")], "lists `a` twice or out of order"],
    [[link("a", "b"), file("a/x")], "holds `a/x` below something that is no directory"],
    [[file("a", "../../x")], "has no digest for `a`"],
  ])("is not believed when %j", (entries, problem) => {
    const text = encodeManifest(entries);
    const tree = treeOf(text);
    expect(() => parseManifest(tree, text)).toThrow(`code tree ${tree} ${problem}`);
  });

  it("differs from another by content, kind, and what is only in one", () => {
    const before = [file("a"), file("b"), file("c"), file("d")];
    const after = [
      file("a"),
      file("b", "1".repeat(64)),
      { ...file("c"), kind: "executable" as const },
      file("e"),
    ];
    expect(diffManifests(before, after).map((change) => change.path)).toEqual(["b", "c", "d", "e"]);
  });
});

describe("a link leads out of a tree", () => {
  const escapes = (...entries: CodeEntry[]): readonly string[] => escapingLinks(entries);

  it("when its text does, or is absolute", () => {
    const found = escapes(
      link("a/in", "../b/../c"),
      link("a/out", "../../x"),
      link("etc", "/etc/passwd"),
      link("self", "."),
    );
    expect(found).toEqual(["a/out", "etc"]);
  });

  it("when another link on its way makes it so, though its text stays inside", () => {
    const found = escapes(link("a/b/c", "../../top"), link("a/b/m", "c/../../../etc/x"));
    expect(found).toEqual(["a/b/m"]);
  });

  it("not when another link on its way keeps it inside, though its text leaves", () => {
    expect(escapes(link("q", "a/b/c"), link("x", "q/../../y"))).toEqual([]);
  });

  it("when it never arrives", () => {
    expect(escapes(link("a", "b"), link("b", "a"))).toEqual(["a", "b"]);
  });
});

describe("what git prints", () => {
  it("is read below the project's folder, renames under both names", () => {
    const records = [
      "# branch.oid (initial)",
      "# branch.head (detached)",
      "1 .M N... 100644 100644 100644 0 0 mine/with space.py",
      "2 R. N... 100644 100644 100644 0 0 R100 mine/new.py",
      "other/old.py",
      "u UU N... 100644 100644 100644 100644 0 0 0 mine/both.py",
      "? mine/draft.py",
      "? mine/vendor/",
      "",
    ];
    expect(parseStatus(records.join("\0"), "mine/")).toEqual({
      commit: undefined,
      branch: undefined,
      changed: ["with space.py", "new.py", "both.py"],
      untracked: ["draft.py", "vendor/"],
    });
  });

  it("tells submodules and files that git does not watch from ordinary files", () => {
    const text = [
      "H 100644 aa 0\ta b.py",
      "h 100755 bb 0\tassumed.py",
      "S 100644 cc 0\tskipped.py",
      "H 160000 dd 0\tvendor",
      "",
    ].join("\0");
    expect(parseIndex(text)).toEqual({
      unwatched: ["assumed.py", "skipped.py"],
      submodules: [{ path: "vendor", commit: "dd" }],
    });
    expect([...parseObjects(text).keys()]).toEqual(["a b.py", "assumed.py", "skipped.py"]);
  });

  it.each([
    ["https://me:to@ken@example.org/a.git", "https://example.org/a.git"],
    ["https://token@example.org/a.git?key=1", "https://example.org/a.git"],
    ["ssh://git:pw@example.org:22/a.git", "ssh://git@example.org:22/a.git"],
    ["git@example.org:team/a.git", "git@example.org:team/a.git"],
    ["/srv/a.git", "/srv/a.git"],
  ])("names the remote %s without credentials", (url, shown) => {
    expect(withoutCredentials(url)).toBe(shown);
  });
});
