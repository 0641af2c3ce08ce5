// Packages that only releases and their checks need: installed once into build/tools, each alone, without their scripts.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './record.mjs';

/** The folder whose node_modules has all of `specs`, of which each is "name@version". */
export function fetched(...specs) {
  const name = specs.join('+').replaceAll('/', '-');
  const folder = join(root, 'build', 'tools', name);
  if (existsSync(folder)) return folder;
  const made = `${folder}.${process.pid}`;
  mkdirSync(made, { recursive: true });
  // Verdaccio asks for node-fetch by a tag, which registries that pass packages on may lack.
  const manifest = { private: true, overrides: { 'node-fetch': '2.7.0' } };
  writeFileSync(join(made, 'package.json'), JSON.stringify(manifest));
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--force'];
  const { status, stderr } = spawnSync('npm', ['install', ...flags, ...specs], {
    cwd: made,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`cannot install ${specs.join(', ')}:\n${stderr}`);
  rmSync(folder, { recursive: true, force: true });
  renameSync(made, folder);
  return folder;
}
