/** The reference pages say what the sources say. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

it("is written anew after every change of what it is made from", () => {
  const { status, stderr } = spawnSync(process.execPath, ["scripts/docs.mjs", "--check"], {
    cwd: root,
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  expect(status).toBe(0);
});

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(root, "packages")).map((name) => `packages/${name}/README.md`),
  "workflows/README.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

const textOf = (page: string): string => {
  try {
    return readFileSync(join(root, page), "utf8");
  } catch {
    return "";
  }
};

/** The anchors GitHub gives to headings. */
const anchorsOf = (page: string): readonly string[] =>
  [...textOf(page).matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(/\s/g, "-"),
  );

it.each(pages)("has no dead link in %s", (page) => {
  const links = [...textOf(page).matchAll(/\]\((?![a-z]+:)([^)#\s]*)(?:#([^)\s]+))?\)/g)];
  const dead = links.filter(([, path = "", anchor]) => {
    const target = path === "" ? page : normalize(join(dirname(page), path));
    if (anchor !== undefined) return !anchorsOf(target).includes(anchor);
    return !isThere(target);
  });
  expect(dead.map(([link]) => link)).toEqual([]);
});

it("is found from the list of all pages", () => {
  const listed = textOf("docs/README.md");
  const own = pages.filter((page) => /^docs\/(?!adr\/|README)/.test(page));
  expect(own.filter((page) => !listed.includes(`(${page.slice("docs/".length)})`))).toEqual([]);
});

function isThere(path: string): boolean {
  const folder = readdirSync(join(root, dirname(path)), { encoding: "utf8" });
  return folder.includes(path.split("/").findLast((part) => part !== "") ?? "");
}
