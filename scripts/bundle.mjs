/**
 * Bundles the command line with every package and library it uses into `packages/cli/dist`: one file
 * for the hot path and one per lazily imported part. Chunks are named by content and files appear by
 * rename, so a flow that is running goes on with the modules it was started with. `--clean` removes
 * older chunks at once; otherwise they are kept for ninety days.
 */
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cli = join(root, "packages/cli");
const dist = join(cli, "dist");
const keptMs = 90 * 24 * 3600 * 1000;

const { outputFiles, metafile } = await build({
  absWorkingDir: root,
  entryPoints: [join(cli, "src/main.ts")],
  outdir: dist,
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  conditions: ["@flow/source", "module"],
  mainFields: ["module", "main"],
  // Some libraries look at the names of classes and at `__dirname`; both must survive.
  keepNames: true,
  define: { __dirname: "import.meta.dirname", __filename: "import.meta.filename" },
  // Libraries in CommonJS call `require` for Node's own modules.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module";\nconst require = __createRequire(import.meta.url);',
  },
  // Optional native parts: the libraries that try to load them do without.
  external: ["cpu-features", "*.node"],
  legalComments: "none",
  metafile: true,
  write: false,
  logLevel: "warning",
});

await mkdir(join(dist, "chunks"), { recursive: true });
const entryLast = [...outputFiles].sort((a, b) => Number(isEntry(a)) - Number(isEntry(b)));
for (const { path, contents } of entryLast) await replace(path, contents);
await replace(join(dist, "THIRD-PARTY-LICENSES"), await licences(Object.keys(metafile.inputs)));
await removeOldChunks(new Set(outputFiles.map(({ path }) => basename(path))));

function isEntry({ path }) {
  return basename(path) === "main.js";
}

async function replace(path, contents) {
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, contents, { mode: basename(path) === "main.js" ? 0o755 : 0o644 });
  await rename(draft, path);
}

async function removeOldChunks(current) {
  const chunks = join(dist, "chunks");
  const now = new Date();
  for (const name of await readdir(chunks)) {
    const path = join(chunks, name);
    if (current.has(name)) await utimes(path, now, now);
    else if (process.argv.includes("--clean") || now - (await stat(path)).mtimeMs > keptMs)
      await rm(path);
  }
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
