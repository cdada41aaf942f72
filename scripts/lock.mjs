/**
 * A lock file between processes of one machine. The file holds its owner's identity (pid and start
 * time); a lock whose owner is gone is removed under a second lock, so two waiters cannot both take it.
 */
import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";

const pollMs = 100;

/**
 * Waits until `path` can be created and returns the function that removes it again.
 * `onWait` is called once with the owner's pid if somebody else holds the lock.
 */
export async function acquireLock(path, onWait) {
  let hasWaited = false;
  while (!create(path)) {
    const owner = read(path);
    if (owner === undefined) continue;
    if (!isAlive(owner)) breakLock(path);
    else {
      if (!hasWaited) onWait(owner.split(" ")[0]);
      hasWaited = true;
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }
  return () => rmSync(path, { force: true });
}

/** Removes a dead owner's lock; looked at again under the guard, because another waiter may have been faster. */
function breakLock(path) {
  const guard = `${path}.guard`;
  if (!create(guard)) {
    const breaker = read(guard);
    if (breaker !== undefined && !isAlive(breaker)) rmSync(guard, { force: true });
    return;
  }
  const owner = read(path);
  if (owner !== undefined && !isAlive(owner)) rmSync(path, { force: true });
  rmSync(guard, { force: true });
}

/** Creates the file with its content in one step, so nobody ever reads a lock without an owner. */
function create(path) {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, identity(process.pid));
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** A pid may be reused; together with the start time (where /proc has it) it names one process. */
function identity(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return `${pid} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return `${pid} -`;
  }
}

function isAlive(owner) {
  const pid = Number(owner.split(" ")[0]);
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code === "ESRCH") return false;
  }
  return identity(pid) === owner;
}
