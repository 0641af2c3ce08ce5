// A lock between processes that survives a killed holder: a folder whose time its holder keeps fresh.
import { mkdirSync, rmdirSync, statSync, utimesSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const refreshMs = 2_000;
const staleMs = 30_000;

export async function withLock(path, work) {
  mkdirSync(dirname(path), { recursive: true });
  while (!take(path)) await sleep(200);
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimesSync(path, now, now);
  }, refreshMs);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    rmdirSync(path);
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
