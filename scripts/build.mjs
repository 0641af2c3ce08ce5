// Builds the addon by the best route there is: cmake-js with CUDA, node-gyp without, or not at all.
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { builders, discardUnusable } from './builders.mjs';
import { withLock } from './lock.mjs';
import { platform } from './platform.mjs';
import {
  addonPath,
  loadError,
  logPath,
  readRecord,
  root,
  sourcesHash,
  version,
  writeRecord,
} from './record.mjs';
import { CUDA_CHOICES, cudaArchitectures, findTools, missingFor } from './tools.mjs';

const rank = { js: 0, gyp: 1, cmake: 2 };

/**
 * Leaves a current addon, or none and a record of the reason. Nothing is done twice: neither a build of
 * these sources nor, unless `retry` asks for it, an attempt at them that failed. `announce` is told the route before
 * something is compiled, `tell` how far it is.
 */
export async function buildNative({ retry, announce = () => {}, tell = () => {} }) {
  const tools = findTools();
  const wanted = choose(tools);
  const hash = sourcesHash();
  const current = () => isCurrent(readRecord(), hash, wanted, retry);
  if (current()) return { ...readRecord(), fresh: false };
  return await withLock(join(root, 'build', 'lock'), async () => {
    if (current()) return { ...readRecord(), fresh: false };
    if (wanted.route !== 'js') announce(wanted);
    const outcome = await attempt(wanted, tools, tell);
    const record = { version, platform, hash, wanted: wantedName(wanted), ...outcome };
    writeRecord(record);
    return { ...record, fresh: true };
  });
}

function choose(tools) {
  const forced = process.env.FLATMIN_BUILD;
  const chosen = process.env.FLATMIN_CUDA || CUDA_CHOICES[0];
  if (!CUDA_CHOICES.includes(chosen))
    return none(`FLATMIN_CUDA is "${chosen}", not ${CUDA_CHOICES.join(', ')}`);
  const cuda = cudaArchitectures(tools);
  const missing = { js: [], gyp: missingFor('gyp', tools), cmake: missingFor('cmake', tools) };
  if (forced) {
    if (!(forced in rank)) return none(`FLATMIN_BUILD is "${forced}", not js, gyp or cmake`);
    if (missing[forced].length > 0) return lacking(missing[forced]);
    const reason = `FLATMIN_BUILD=${forced}`;
    return { route: forced, forced: true, reason, cuda: forced === 'cmake' ? cuda : null };
  }
  if (cuda !== null && missing.cmake.length === 0) return { route: 'cmake', cuda };
  return missing.gyp.length === 0 ? { route: 'gyp' } : lacking(missing.gyp);
}

function lacking(missing) {
  const isPackage = (name) => name.startsWith('the package ');
  const packages = missing.filter(isPackage).map((name) => name.slice('the package '.length));
  const tools =
    process.platform === 'darwin'
      ? 'xcode-select --install'
      : 'Debian, Ubuntu: apt-get install g++ make python3';
  const ways = [
    ...(missing.every(isPackage) ? [] : [tools]),
    ...(packages.length > 0 ? [`npm install --no-save ${packages.join(' ')}`] : []),
  ];
  return none(`${missing.join(', ')} not found`, `install them (${ways.join('; ')})`);
}

const none = (reason, remedy = null) => ({ route: 'js', reason, remedy });

function isCurrent(record, hash, wanted, retry) {
  if (record === null || record.hash !== hash || record.platform !== platform) return false;
  if (record.builder !== 'js') {
    if (!existsSync(addonPath) || loadError(addonPath) !== null) return false;
    if (record.builder === wanted.route && (record.cuda ?? null) === (wanted.cuda ?? null))
      return true;
    if (rank[record.builder] > rank[wanted.route] && !wanted.forced) return true;
  }
  return !retry && wanted.route !== 'js' && record.wanted === wantedName(wanted);
}

async function attempt(wanted, tools, tell) {
  writeFileSync(logPath, '');
  discardUnusable();
  const routes = { js: [], gyp: ['gyp'], cmake: wanted.forced ? ['cmake'] : ['cmake', 'gyp'] };
  const failures = [];
  for (const route of routes[wanted.route]) {
    if (missingFor(route, tools).length > 0) continue;
    const cuda = route === 'cmake' ? (wanted.cuda ?? null) : null;
    const failure = await builders[route](tools, cuda, tell);
    if (failure === null) {
      const [reason = null] = failures;
      return { builder: route, cuda, reason, remedy: reason === null ? null : seeLog };
    }
    failures.push(failure);
  }
  // An addon of other sources must not be loaded with these.
  rmSync(addonPath, { force: true });
  if (failures.length > 0) return { builder: 'js', reason: failures[0], remedy: seeLog };
  return { builder: 'js', reason: wanted.reason, remedy: wanted.remedy ?? null };
}

/** A route that was forced leaves the others untried. */
const wantedName = ({ route, forced, cuda }) =>
  [route, ...(cuda ? [cuda] : []), ...(forced ? ['alone'] : [])].join(' ');

const seeLog = `see ${logPath}`;
