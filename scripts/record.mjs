// What the last build made, and from what: build/flatmin.json beside the addon it describes.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, extname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const addonPath = join(root, 'build', 'Release', 'flatmin.node');
export const logPath = join(root, 'build', 'build.log');
export const version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;

const recordPath = join(root, 'build', 'flatmin.json');
const sourceKinds = ['.cc', '.h', '.cu', '.gyp'];
const notSources = ['build', 'emulation'];

export function readRecord() {
  try {
    return JSON.parse(readFileSync(recordPath, 'utf8'));
  } catch {
    return null;
  }
}

export function writeRecord(record) {
  mkdirSync(dirname(recordPath), { recursive: true });
  const temporary = `${recordPath}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(record, null, 2)}\n`);
  renameSync(temporary, recordPath);
}

/** Changes when a rebuild is due. */
export function sourcesHash() {
  const hash = createHash('sha256').update(version);
  for (const path of [join(root, 'CMakeLists.txt'), ...sources(join(root, 'native'))])
    hash.update(`\0${relative(root, path)}\0`).update(readFileSync(path));
  return hash.digest('hex');
}

/** Loads an addon in a process of its own: null, or why it cannot be used. */
export function loadError(path) {
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    ['-e', 'process.stdout.write(require(process.argv[1]).version)', path],
    { encoding: 'utf8' },
  );
  if (status !== 0) return /Error: .*/.exec(stderr)?.[0] ?? `node ended with ${signal ?? status}`;
  return stdout === version ? null : `built for version ${stdout}, not ${version}`;
}

function sources(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return notSources.includes(entry.name) ? [] : sources(path);
      return sourceKinds.includes(extname(entry.name)) ? [path] : [];
    });
}
