// A lock between processes that survives a killed holder: a folder whose time its holder keeps fresh.
import { mkdirSync, rmdirSync, rmSync, statSync, utimes } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const refreshMs = 2_000;
const staleMs = 30_000;

export async function withLock(path, work) {
  mkdirSync(dirname(path), { recursive: true });
  while (!take(path)) await sleep(200);
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now, () => {});
  }, refreshMs);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    rmSync(path, { recursive: true, force: true });
  }
}

function take(path) {
  try {
    mkdirSync(path);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  try {
    if (Date.now() - statSync(path).mtimeMs > staleMs) rmdirSync(path);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  return false;
}
