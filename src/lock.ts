import { readFileSync, rmSync, statSync, utimes, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { FlatminError } from './errors.ts';
import { readPlainFile, replaceFile } from './files.ts';

/**
 * A file that keeps other processes out of a folder. It names its process and is taken over when that is dead: on
 * another machine, whose processes cannot be seen, when the file has not been touched for a minute.
 */

const TOUCH_MS = 5_000;
const STALE_MS = 60_000;
const SETTLE_MS = 100;

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** What tells this process from a later one of the same number; null where the system does not say. */
  readonly started: string | null;
}

/** Takes the lock and returns what gives it back; `FLATMIN_BUSY` names the process that has it. */
export function takeLock(path: string): () => void {
  const own = JSON.stringify(describe(process.pid));
  if (!create(path, own)) {
    const holder = holderOf(path);
    if (holder !== undefined && isAlive(holder, path)) throw busy(path, holder);
    // Of two that find the same dead one the later writes last, and the earlier sees it.
    replaceFile(path, (file) => writeFileSync(file, own));
    sleep(SETTLE_MS);
    const taker = holderOf(path);
    if (taker !== undefined && JSON.stringify(taker) !== own) throw busy(path, taker);
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now, () => {});
  }, TOUCH_MS).unref();
  return () => {
    clearInterval(heartbeat);
    const holder = holderOf(path);
    if (JSON.stringify(holder) === own) rmSync(path, { force: true });
  };
}

function create(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Who has the lock; nobody where it is gone, or was never written to its end. */
function holderOf(path: string): Holder | undefined {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const { pid, host, started } = JSON.parse(readPlainFile(path).toString());
      if (Number.isSafeInteger(pid) && pid > 0 && typeof host === 'string')
        return { pid, host, started };
    } catch {}
    // It may be about to be written.
    sleep(SETTLE_MS);
  }
  return undefined;
}

function isAlive({ pid, host, started }: Holder, path: string): boolean {
  if (host !== hostname()) {
    const { mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { mtimeMs: 0 };
    return Date.now() - mtimeMs < STALE_MS;
  }
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Another user's process may not be signalled.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return started === null || describe(pid).started === started;
}

const describe = (pid: number): Holder => ({ pid, host: hostname(), started: startOf(pid) });

/** When a process began, in the kernel's ticks since the machine did. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Behind the command's name, which may hold anything, it is the twentieth.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

const busy = (path: string, { pid, host }: Holder) =>
  new FlatminError(
    'FLATMIN_BUSY',
    `process ${pid}${host === hostname() ? '' : ` of ${host}`} is at work in this folder (${path}); help: wait for it, stop it, or choose another --out`,
  );

const sleep = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
