/**
 * Bundles the command line with every package and library it uses into `packages/cli/dist`: one file
 * for the hot path, one per lazily imported part, and the files they refer to by
 * `new URL("…", import.meta.url)`. Everything but `main.js` is named by content and appears by rename,
 * so a flow that is running goes on with the modules it was started with; what no build of the last
 * ninety days used is removed.
 */
import { createHash } from "node:crypto";
import {
  chmod,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cli = join(root, "packages/cli");
const dist = join(cli, "dist");
const keptMs = 90 * 24 * 3600 * 1000;
const assetReference = /new URL\(\s*"(\.{1,2}\/[^"]+)",\s*import\.meta\.url,?\s*\)/g;

/** Ships the files that sources refer to, each in a folder of its own, and points the references there. */
const assets = {
  name: "assets",
  setup({ onLoad }) {
    onLoad({ filter: /\/packages\/[^/]+\/src\/.*\.ts$/ }, async ({ path }) => {
      const contents = await readFile(path, "utf8");
      const moved = new Map();
      for (const [, reference] of contents.matchAll(assetReference))
        moved.set(reference, await shipAsset(join(dirname(path), reference)));
      return {
        loader: "ts",
        contents: contents.replace(
          assetReference,
          (_, reference) => `new URL("./${moved.get(reference)}", import.meta.url)`,
        ),
      };
    });
  },
};

/**
 * Some libraries know objects by the names of their classes, which bundling may change. They have them
 * kept, flow's own code has not: that costs a call for each function made, and flow makes many.
 */
const classNames = {
  name: "class-names",
  setup({ onLoad }) {
    onLoad({ filter: /\/node_modules\/.*\.[cm]?js$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, "utf8"), { keepNames: true });
      return { contents: code };
    });
  },
};

async function shipAsset(path) {
  const contents = await readFile(path);
  const digest = createHash("sha256").update(contents).digest("hex").slice(0, 12);
  const place = `assets/${digest}/${basename(path)}`;
  await replace(join(dist, place), contents, (await stat(path)).mode & 0o777);
  return place;
}

async function replace(path, contents, mode) {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${dirname(path)}/.${basename(path)}.${process.pid}`;
  await writeFile(draft, contents);
  await chmod(draft, mode);
  await rename(draft, path);
}

/** The licences of the bundled libraries ask to be shipped with them. */
async function licences(inputs) {
  const folders = new Set(
    inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []),
  );
  const texts = await Promise.all(
    [...folders].sort().map(async (folder) => {
      const names = await readdir(join(root, folder));
      const name = names.find((each) => /^(licen[cs]e|copying)/i.test(each));
      const text = name === undefined ? "" : await readFile(join(root, folder, name), "utf8");
      const manifest = JSON.parse(await readFile(join(root, folder, "package.json"), "utf8"));
      return `${manifest.name} ${manifest.version} (${manifest.license})\n\n${text.trim()}\n`;
    }),
  );
  return texts.join("\n----\n\n");
}

async function removeOld(current) {
  const now = new Date();
  const chunks = (await readdir(dist)).filter((name) => /-[A-Z0-9]{8}\.js$/.test(name));
  for (const name of chunks) {
    const path = join(dist, name);
    if (current.has(name)) await utimes(path, now, now);
    else if (now - (await stat(path)).mtimeMs > keptMs) await rm(path);
  }
}

const { outputFiles, metafile } = await build({
  absWorkingDir: root,
  entryPoints: [join(cli, "src/main.ts")],
  outdir: dist,
  chunkNames: "[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  conditions: ["@flow/source", "module"],
  mainFields: ["module", "main"],
  plugins: [assets, classNames],
  // Some libraries look at `__dirname`.
  define: { __dirname: "import.meta.dirname", __filename: "import.meta.filename" },
  // Libraries in CommonJS call `require` for Node's own modules.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module";\nconst require = __createRequire(import.meta.url);',
  },
  // Optional native parts: the libraries that try to load them do without.
  external: ["cpu-features", "koffi", "*.node"],
  legalComments: "none",
  metafile: true,
  write: false,
  logLevel: "warning",
}).catch(() => process.exit(1));

const isEntry = ({ path }) => basename(path) === "main.js";
for (const file of outputFiles.toSorted((a, b) => Number(isEntry(a)) - Number(isEntry(b))))
  await replace(file.path, file.contents, isEntry(file) ? 0o755 : 0o644);
const texts = await licences(Object.keys(metafile.inputs));
await replace(join(dist, "THIRD-PARTY-LICENSES"), texts, 0o644);
await removeOld(new Set(outputFiles.map(({ path }) => basename(path))));
