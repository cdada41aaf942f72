/**
 * Runs the tests from any state of the checkout: installs and builds what is missing, with
 * `FLOW_TEST_SYSTEM=1` also the Debian packages of `test/system-packages`, then runs Vitest with the
 * arguments given and says which suites were skipped and why. `FLOW_TEST_REPORT` names the file for
 * the JSON report.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function run(command, args, options = {}) {
  const { status, signal, error } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    ...options,
  });
  if (error !== undefined) throw error;
  return signal === null ? status : 1;
}

function mustRun(command, args, options) {
  const status = run(command, args, options);
  if (status !== 0) process.exit(status);
}

function installSystemPackages() {
  const lines = readFileSync(join(root, "test/system-packages"), "utf8").split("\n");
  const rows = lines.filter((line) => line.trim() !== "" && !line.startsWith("#"));
  const missing = rows.flatMap((row) => {
    const [[name], programs, packages] = row.split("|").map((cell) => cell.trim().split(/\s+/));
    return name.endsWith("?") || programs.every(isFound) ? [] : packages;
  });
  if (missing.length === 0) return;
  const wait = ["-o", "DPkg::Lock::Timeout=300", "-qq"];
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  mustRun("apt-get", [...wait, "update"], { env });
  mustRun("apt-get", [...wait, "install", "-y", "--no-install-recommends", ...new Set(missing)], {
    env,
    stdio: ["ignore", "ignore", "inherit"],
  });
}

function isFound(program) {
  const folders = [...process.env.PATH.split(":"), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** One line for each skipped suite; the reason stands in its title. */
function printSkipped(report) {
  const skipped = new Set(
    report.testResults.flatMap(({ status: fileStatus, assertionResults }) =>
      (fileStatus === "failed" ? [] : assertionResults)
        .filter(({ status }) => status === "skipped" || status === "pending" || status === "todo")
        .map(({ ancestorTitles, title }) => ancestorTitles.find((each) => each !== "") ?? title),
    ),
  );
  for (const title of skipped) console.log(`skipped: ${title}`);
}

mustRun(process.execPath, [join(root, "scripts/set-up.mjs"), "--dev"]);
if (process.env.FLOW_TEST_SYSTEM === "1") installSystemPackages();

const folder = mkdtempSync(join(tmpdir(), "flow-test-"));
const report = process.env.FLOW_TEST_REPORT ?? join(folder, "report.json");
const vitest = join(root, "node_modules/vitest/vitest.mjs");
const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
process.exitCode = run(process.execPath, [vitest, "run", ...reporters, ...process.argv.slice(2)]);
try {
  printSkipped(JSON.parse(readFileSync(report, "utf8")));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
