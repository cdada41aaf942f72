/**
 * Makes a checkout runnable: installs the packages that are missing and bundles the command line.
 * Run by the launcher on first use (only what the build needs) and by the tests (`--dev`, everything).
 * It depends on nothing but Node, parses on old versions of it, and talks on stderr only.
 */
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const minimum = [20, 19];
/** "Something outside was missing" in the table of exit codes. */
const exitMissing = 4;
const networkErrors =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|UND_ERR_CONNECT_TIMEOUT)\b/;

class SetUpError extends Error {}

/** Installs and builds what is missing or older than its sources. */
async function setUp({ withDev }) {
  checkNode();
  // Imported only now: it need not parse where the check above fails.
  const { acquireLock } = await import("./lock.mjs");
  if (isInstalled(withDev) && isBuilt()) return;
  mkdirSync(join(root, "packages/cli/dist"), { recursive: true });
  const release = await acquireLock(join(root, "packages/cli/dist/.lock"), (pid) =>
    say(`waiting for process ${pid}, which is setting up this checkout`),
  );
  try {
    if (!isInstalled(withDev)) await install(withDev);
    if (!isBuilt()) await build();
  } finally {
    release();
  }
}

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > minimum[0] || (major === minimum[0] && minor >= minimum[1])) return;
  throw new SetUpError(
    `Node.js ${process.versions.node} is too old: flow needs ${minimum.join(".")} or newer. Install a newer one (https://nodejs.org) and put it first on PATH.`,
  );
}

/** Compares what the lock file asks for with what npm recorded as installed; versions, not times. */
function isInstalled(withDev) {
  const installed = readPackages(join(root, "node_modules/.package-lock.json"));
  if (installed === undefined) return false;
  const wanted = readPackages(join(root, "package-lock.json")) || {};
  return Object.keys(wanted).every((path) => {
    const entry = wanted[path];
    if (entry.link) return existsSync(join(root, path));
    if (!path.startsWith("node_modules/") || entry.optional || (entry.dev && !withDev)) return true;
    const found = installed[path];
    return found !== undefined && found.version === entry.version && existsSync(join(root, path));
  });
}

function readPackages(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8")).packages;
  } catch (error) {
    if (error.code === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The launcher makes the same comparison in shell; a source newer than the stamp means build again. */
function isBuilt() {
  const stamp = join(root, "packages/cli/dist/.built");
  if (!existsSync(stamp)) return false;
  const built = statSync(stamp).mtimeMs;
  return sources().every((path) => statSync(path).mtimeMs <= built);
}

function sources() {
  const packages = readdirSync(join(root, "packages")).map((name) => join(root, "packages", name));
  return [
    join(root, "package-lock.json"),
    ...walk(join(root, "scripts")),
    ...packages.map((path) => join(path, "package.json")).filter((path) => existsSync(path)),
    ...packages
      .flatMap((path) => ["src", "node", "python"].map((name) => join(path, name)))
      .filter((path) => existsSync(path))
      .flatMap(walk),
    ...packages.map((path) => join(path, "flow-runner.sh")).filter((path) => existsSync(path)),
  ];
}

function walk(folder) {
  const inside = readdirSync(folder, { withFileTypes: true });
  return [folder].concat(
    ...inside.map((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? walk(path) : [path];
    }),
  );
}

async function install(withDev) {
  const args = [
    "ci",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=http",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=500",
  ];
  let fetched = 0;
  let log = "";
  const step = startStep("installing packages", () => `${fetched} fetched`);
  const code = await run("npm", withDev ? args : [...args, "--omit=dev"], (line) => {
    if (/http (fetch GET 200|cache)/.test(line)) fetched++;
    else log += `${line}\n`;
  });
  step.end(code === 0);
  if (code !== 0) throw new SetUpError(installFailure(log));
}

function installFailure(log) {
  const network = networkErrors.exec(log);
  if (network !== null)
    return `The npm registry cannot be reached (${network[1]}), and the packages of this checkout are not installed yet. Check the network, or the proxy and registry that \`npm config list\` shows, and run the command again.`;
  const lines = log.split("\n").filter((line) => /npm error/i.test(line));
  return `\`npm ci\` failed; the packages of this checkout are not installed.\n${lines.slice(0, 12).join("\n")}`;
}

async function build() {
  const stamp = join(root, "packages/cli/dist/.built");
  const startedAt = new Date(Date.now() - 20);
  const step = startStep("building", () => "");
  let log = "";
  const code = await run(process.execPath, [join(root, "scripts/bundle.mjs")], (line) => {
    log += `${line}\n`;
  });
  step.end(code === 0);
  if (code !== 0) throw new SetUpError(`The build failed.\n${log}`);
  writeFileSync(stamp, "");
  utimesSync(stamp, startedAt, startedAt);
}

/** Runs a command in the root and hands over its output line by line; resolves to its exit code. */
function run(command, args, onLine) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) {
      let rest = "";
      stream.setEncoding("utf8").on("data", (text) => {
        const lines = (rest + text).split("\n");
        rest = lines.pop();
        lines.forEach(onLine);
      });
      stream.on("end", () => rest !== "" && onLine(rest));
    }
    child.on("error", (error) =>
      reject(
        error.code === "ENOENT"
          ? new SetUpError(
              `\`${command}\` is not on PATH. It comes with Node.js (https://nodejs.org).`,
            )
          : error,
      ),
    );
    child.on("close", (code) => resolve(code === null ? 1 : code));
  });
}

/** Shows a step with its elapsed time; on a terminal the line is redrawn, elsewhere it is written at its start and end. */
function startStep(title, detail) {
  const startedAt = Date.now();
  const text = () => {
    const more = detail();
    return `${title} … ${((Date.now() - startedAt) / 1000).toFixed(1)} s${more === "" ? "" : `, ${more}`}`;
  };
  const isLive = process.stderr.isTTY === true;
  if (!isLive) say(`${title} …`);
  const timer = isLive && setInterval(() => process.stderr.write(`\r\x1b[Kflow: ${text()}`), 100);
  return {
    end(isOk) {
      if (timer) clearInterval(timer);
      process.stderr.write(`${isLive ? "\r\x1b[K" : ""}flow: ${text()}${isOk ? "" : ", failed"}\n`);
    },
  };
}

function say(text) {
  process.stderr.write(`flow: ${text}\n`);
}

setUp({ withDev: process.argv.includes("--dev") }).catch((error) => {
  const isOutside = error.syscall !== undefined;
  if (!(error instanceof SetUpError) && !isOutside) throw error;
  say(isOutside ? `This checkout cannot be set up: ${error.message}.` : error.message.trimEnd());
  process.exitCode = exitMissing;
});
