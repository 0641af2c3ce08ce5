// Makes the folders of the packages to publish, of a tree that is compiled:
//   node scripts/pack.mjs [--out build/packages] [--local] [linux-x64-gnu=path/to/flatmin.node …]
// The root package goes to OUT/flatmin: this one without its scripts and tools, and with the platform packages as optional
// dependencies. Each addon that is named goes to OUT/PLATFORM; with --local it may need what this machine alone has.
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { PLATFORMS, packageOf } from './platform.mjs';
import { root } from './record.mjs';

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** The oldest glibc that packages may need: Node 20's own. */
const GLIBC = [2, 28];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string', default: join(root, 'build', 'packages') },
    local: { type: 'boolean', default: false },
  },
});
packRoot(join(values.out, 'flatmin'));
for (const named of positionals) {
  const [platform, ...path] = named.split('=');
  packPlatform(platform, resolve(path.join('=')), join(values.out, platform));
}

function packRoot(folder) {
  const { private: _, scripts, devDependencies, optionalDependencies, ...kept } = manifest;
  const platforms = Object.keys(PLATFORMS).map((name) => [packageOf(name), manifest.version]);
  write(folder, {
    ...kept,
    optionalDependencies: { ...optionalDependencies, ...Object.fromEntries(platforms) },
  });
  const excluded = manifest.files.filter((name) => name.startsWith('!'));
  const left = excluded.map((name) => join(root, name.slice(1)));
  for (const name of [...manifest.files, 'README.md', 'LICENSE'])
    if (!name.startsWith('!'))
      cpSync(join(root, name), join(folder, name), {
        recursive: true,
        filter: (path) => !left.includes(path),
      });
}

function packPlatform(platform, addon, folder) {
  const made = PLATFORMS[platform];
  if (made === undefined)
    throw new Error(`${platform} is none of ${Object.keys(PLATFORMS).join(', ')}`);
  if (!values.local) checkLibrary(addon, made.libc);
  const { version, license, engines, repository } = manifest;
  write(folder, {
    name: packageOf(platform),
    version,
    description: `flatmin's compiled kernels for ${platform}`,
    license,
    ...(repository === undefined ? {} : { repository }),
    engines,
    os: [made.os],
    cpu: [made.cpu],
    libc: [made.libc],
    main: 'flatmin.node',
    files: ['flatmin.node'],
    publishConfig: { access: 'public' },
  });
  copyFileSync(addon, join(folder, 'flatmin.node'));
  copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  writeFileSync(
    join(folder, 'README.md'),
    `# ${packageOf(platform)}\n\nCompiled kernels of the package flatmin for ${platform}; it installs them itself.\n`,
  );
}

/** Refuses an addon that systems which Node runs on could not load. */
function checkLibrary(addon, libc) {
  const text = readFileSync(addon, 'latin1');
  if (/libstdc\+\+\.so|libgcc_s\.so/.test(text))
    throw new Error(
      `${addon} needs the C++ runtime's own files: build it with -DFLATMIN_PACKAGED=ON`,
    );
  const needed = [...text.matchAll(/GLIBC_(\d+)\.(\d+)/g)].map(([, ...parts]) => parts.map(Number));
  const [newest = [0, 0]] = needed.sort(([a, b], [c, d]) => c - a || d - b);
  if (libc === 'musl' ? needed.length > 0 : newest[0] > GLIBC[0] || newest[1] > GLIBC[1])
    throw new Error(
      `${addon} needs glibc ${newest.join('.')}; ${libc} packages may need ${libc === 'musl' ? 'none' : GLIBC.join('.')}`,
    );
}

function write(folder, content) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(content, null, 2)}\n`);
}
