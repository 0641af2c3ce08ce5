// Builds the addon by the best route there is: cmake-js with CUDA, node-gyp without, or not at all.
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { builders, discardUnusable } from './builders.mjs';
import { withLock } from './lock.mjs';
import {
  addonPath,
  loadError,
  logPath,
  platform,
  readRecord,
  root,
  sourcesHash,
  version,
  writeRecord,
} from './record.mjs';
import { findTools, missingFor } from './tools.mjs';

const rank = { js: 0, gyp: 1, cmake: 2 };

/**
 * Leaves a current addon, or none and a record of the reason. Nothing is done twice: neither a build of
 * these sources nor, unless `retry` asks for it, an attempt at them that failed.
 */
export async function buildNative({ retry }) {
  const tools = findTools();
  const wanted = choose(tools);
  const hash = sourcesHash();
  const current = () => isCurrent(readRecord(), hash, wanted, retry);
  if (current()) return { ...readRecord(), fresh: false };
  return await withLock(join(root, 'build', 'lock'), async () => {
    if (current()) return { ...readRecord(), fresh: false };
    const outcome = await attempt(wanted, tools);
    const record = { version, platform, hash, wanted: wantedName(wanted), ...outcome };
    writeRecord(record);
    return { ...record, fresh: true };
  });
}

function choose(tools) {
  const forced = process.env.FLATMIN_BUILD;
  const missing = { js: [], gyp: missingFor('gyp', tools), cmake: missingFor('cmake', tools) };
  if (forced) {
    if (!(forced in rank)) return none(`FLATMIN_BUILD is "${forced}", not js, gyp or cmake`);
    if (missing[forced].length > 0) return lacking(missing[forced]);
    return { route: forced, forced: true, reason: `FLATMIN_BUILD=${forced}` };
  }
  if (tools.nvcc !== null && missing.cmake.length === 0) return { route: 'cmake' };
  return missing.gyp.length === 0 ? { route: 'gyp' } : lacking(missing.gyp);
}

function lacking(missing) {
  const remedy =
    process.platform === 'darwin'
      ? 'xcode-select --install'
      : 'install them (Debian, Ubuntu: apt-get install g++ make python3)';
  return none(`${missing.join(', ')} not found`, remedy);
}

const none = (reason, remedy = null) => ({ route: 'js', reason, remedy });

function isCurrent(record, hash, wanted, retry) {
  if (record === null || record.hash !== hash || record.platform !== platform) return false;
  if (record.builder !== 'js') {
    if (!existsSync(addonPath) || loadError(addonPath) !== null) return false;
    if (record.builder === wanted.route) return true;
    if (rank[record.builder] > rank[wanted.route] && !wanted.forced) return true;
  }
  return !retry && wanted.route !== 'js' && record.wanted === wantedName(wanted);
}

async function attempt(wanted, tools) {
  writeFileSync(logPath, '');
  discardUnusable();
  const routes = { js: [], gyp: ['gyp'], cmake: wanted.forced ? ['cmake'] : ['cmake', 'gyp'] };
  const failures = [];
  for (const route of routes[wanted.route]) {
    if (missingFor(route, tools).length > 0) continue;
    const failure = await builders[route](tools);
    if (failure === null)
      return { builder: route, reason: failures[0] ?? null, remedy: failures[0] ? seeLog : null };
    failures.push(failure);
  }
  // An addon of other sources must not be loaded with these.
  rmSync(addonPath, { force: true });
  if (failures.length > 0) return { builder: 'js', reason: failures[0], remedy: seeLog };
  return { builder: 'js', reason: wanted.reason, remedy: wanted.remedy ?? null };
}

/** A route that was forced leaves the others untried. */
const wantedName = ({ route, forced }) => (forced ? `${route} alone` : route);

const seeLog = `see ${logPath}`;
