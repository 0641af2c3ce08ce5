import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { PLATFORMS, packageOf, platform } from '../../../scripts/platform.mjs';
import { addonPath, readRecord, version } from '../../../scripts/record.mjs';

/** A place where compiled kernels may be. */
export interface Candidate {
  /** "own build", "@flatmin/linux-x64-gnu". */
  readonly name: string;
  /** The file to load, or null and why there is none. */
  readonly path: string | null;
  readonly reason: string | null;
  /** What to do where it cannot be used; null where nothing helps. */
  readonly remedy: string | null;
}

/** All of them, the one to prefer first. */
export const candidates = (): Candidate[] => [ownBuild(), platformPackage()];

const BUILD = 'run "npx flatmin build"';

/** By `flatmin build`, or by `npm install` in a clone. */
function ownBuild(): Candidate {
  const name = 'own build';
  if (existsSync(addonPath)) return { name, path: addonPath, reason: null, remedy: BUILD };
  const record = readRecord();
  if (record === null) return { name, path: null, reason: 'none was made here', remedy: BUILD };
  const reason = record.reason ?? 'it was removed after it was made';
  const remedy = record.remedy === null ? BUILD : `${record.remedy}, then ${BUILD}`;
  return { name, path: null, reason, remedy };
}

function platformPackage(): Candidate {
  const name = packageOf(platform);
  const published = Object.keys(PLATFORMS);
  if (!published.includes(platform)) {
    const reason = `none is published; there are ${published.map(packageOf).join(', ')}`;
    return { name, path: null, reason, remedy: null };
  }
  const remedy = `install it: "npm install ${name}@${version}"`;
  const path = installed(name);
  if (path !== null) return { name, path, reason: null, remedy };
  const foreign = published.map(packageOf).find((other) => installed(other) !== null);
  const reason =
    foreign === undefined
      ? 'not installed; --omit=optional and its like leave it out'
      : `not installed, but ${foreign} is: node_modules come from another machine`;
  return { name, path: null, reason, remedy };
}

function installed(name: string): string | null {
  try {
    return createRequire(import.meta.url).resolve(name);
  } catch {
    return null;
  }
}
