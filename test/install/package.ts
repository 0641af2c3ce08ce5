import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { platform } from '../../scripts/platform.mjs';
import { addonPath } from '../../scripts/record.mjs';
import type { Diagnosis } from '../../src/cli/doctor.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The tarballs of the root package and of this platform's, with the addon in use, whichever glibc it needs. */
export function pack(folder: string): { flatmin: string; kernels: string } {
  const staged = join(folder, 'packages');
  const addon = `${platform}=${addonPath}`;
  const packed = run('node', [join(root, 'scripts/pack.mjs'), '--out', staged, '--local', addon]);
  if (packed.status !== 0) throw new Error(packed.output);
  const tarball = (name: string) => {
    const { status, stdout, output } = run(
      'npm',
      ['pack', '--pack-destination', folder],
      join(staged, name),
    );
    if (status !== 0) throw new Error(`npm pack failed:\n${output}`);
    return join(folder, stdout.trim().split('\n').at(-1) ?? '');
  };
  return { flatmin: tarball('flatmin'), kernels: tarball(platform) };
}

/** An empty project that has flatmin's dependencies already, so that npm needs no network. */
export function emptyProject(folder: string): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "name": "elsewhere", "private": true }\n');
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  for (const [path, { dev }] of Object.entries<{ dev?: boolean }>(lock.packages))
    if (path !== '' && !dev && existsSync(join(root, path)))
      cpSync(join(root, path), join(folder, path), { recursive: true });
  // Without its links in .bin npm would take a package for changed, and fetch it.
  const links = join('node_modules', '.bin');
  cpSync(join(root, links), join(folder, links), { recursive: true, verbatimSymlinks: true });
  return folder;
}

/** What `flatmin build` needs of npm, as a project may have it. */
export function addBuilders(project: string): void {
  for (const name of ['node-gyp', 'node-addon-api'])
    symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name));
}

/** A folder for PATH with what npm needs and no compiler. */
export function pathWithoutCompiler(folder: string): string {
  mkdirSync(folder, { recursive: true });
  for (const name of ['node', 'npm', 'npx', 'sh', 'env']) {
    const found = (process.env.PATH ?? '')
      .split(':')
      .map((part) => join(part, name))
      .find((path) => existsSync(path));
    if (found === undefined) throw new Error(`${name} is not on PATH`);
    symlinkSync(found, join(folder, name));
  }
  return folder;
}

/** npm with what its scripts print. */
export function npm(folder: string, args: string[], env = {}) {
  const flags = ['--offline', '--no-audit', '--no-fund', '--foreground-scripts'];
  return run('npm', [...args, ...flags], folder, env);
}

export function flatmin(folder: string, args: string[], env = {}) {
  return run('npx', ['--offline', 'flatmin', ...args], folder, env);
}

export function doctor(folder: string, env = {}): Diagnosis {
  return JSON.parse(flatmin(folder, ['doctor', '--json'], env).stdout);
}

function run(command: string, args: string[], cwd = root, env = {}) {
  // Settings of the npm that runs these tests are not those of a user elsewhere.
  const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|FLATMIN_)/i.test(name));
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: { ...Object.fromEntries(inherited), ...env },
  });
  return { status, stdout, output: stdout + stderr };
}
