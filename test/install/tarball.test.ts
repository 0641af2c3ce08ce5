import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageOf, platform } from '../../scripts/platform.mjs';
import {
  addBuilders,
  doctor,
  emptyProject,
  flatmin,
  npm,
  pack,
  pathWithoutCompiler,
} from './package.ts';

// A folder that programs which take paths for words, addresses or formats would fail in.
const folder = mkdtempSync(join(tmpdir(), 'flatmin é 100%20 '));
const project = join(folder, 'elsewhere');
const installed = join(project, 'node_modules', 'flatmin');
const addon = join(installed, 'build', 'Release', 'flatmin.node');
const objects = join(installed, 'native', 'build');
const kernels = packageOf(platform);
const withKernels = join(project, 'node_modules', kernels, 'flatmin.node');
// Unoptimised, for the sake of time.
const gyp = { FLATMIN_BUILD: 'gyp', CXXFLAGS: '-O0' };
let tarballs = { flatmin: '', kernels: '' };
let bare = {};

beforeAll(() => {
  tarballs = pack(folder);
  emptyProject(project);
  bare = { PATH: pathWithoutCompiler(join(folder, 'bin')) };
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const flatminLines = (output: string) =>
  output.split('\n').filter((line) => line.startsWith('flatmin: '));

const sizes = ['--epochs', '1', '--examples', '100', '--test-examples', '100'];
const train = ['train', 'digits', '--optimizer', 'sgd', '--synthetic', ...sizes];

describe('the published packages', () => {
  it('have no scripts, no builders, and kernels as optional dependencies', () => {
    const manifest = JSON.parse(
      readFileSync(join(folder, 'packages', 'flatmin', 'package.json'), 'utf8'),
    );
    expect(manifest).not.toHaveProperty('scripts');
    expect(manifest).not.toHaveProperty('private');
    expect(manifest.optionalDependencies).toMatchObject({ [kernels]: manifest.version });
    const all = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });
    for (const name of ['cmake-js', 'node-gyp', 'node-addon-api']) expect(all).not.toContain(name);
    expect(existsSync(join(folder, 'packages', 'flatmin', 'binding.gyp'))).toBe(false);
  });

  it('load their kernels on a machine without a compiler', () => {
    const { status, output } = npm(project, ['install', tarballs.kernels, tarballs.flatmin], bare);
    expect(output).not.toContain('flatmin');
    expect(status).toBe(0);
    expect(doctor(project, bare)).toMatchObject({
      backend: 'native',
      auto: 'cpu',
      native: {
        path: withKernels,
        builder: null,
        reason: null,
        attempts: [
          { name: 'own build', path: null, reason: 'none was made here' },
          { name: kernels, path: withKernels, reason: null },
        ],
      },
      tools: { compiler: null },
    });
    expect(flatminLines(flatmin(project, [...train], bare).output)).toEqual([]);
  });
});

describe('flatmin without the package of its platform', () => {
  const missing = `own build: none was made here; ${kernels}: not installed; --omit=optional and its like leave it out`;
  const remedies = expect.stringMatching(
    /^1\. run "npx flatmin build"; 2\. install it: "npm install @flatmin\/.*@\d+\.\d+\.\d+"$/,
  );

  it('tells what it tried and what to do', () => {
    rmSync(join(project, 'node_modules', '@flatmin'), { recursive: true });
    expect(doctor(project)).toMatchObject({
      backend: 'js',
      auto: 'js',
      native: { path: null, reason: missing, remedy: remedies },
    });
  });

  it('says so once where JavaScript was not asked for', () => {
    const told = (...more: string[]) => {
      const { status, output } = flatmin(project, [...train, ...more]);
      expect(status).toBe(0);
      return flatminLines(output);
    };
    const [line, ...others] = told();
    expect(line).toContain(`flatmin: no native kernels (${missing}), JavaScript does the work`);
    expect(others).toEqual([]);
    expect(told('--device', 'js')).toEqual([]);
  });

  it('says what its own build would need', () => {
    const { status, output } = flatmin(project, ['build'], bare);
    expect(status).toBe(1);
    expect(flatminLines(output)).toEqual([
      'flatmin: no native build, JavaScript will do the work: a C++ compiler (g++ or clang++), make, ' +
        'python3, the package node-addon-api not found; install them (Debian, Ubuntu: apt-get ' +
        'install g++ make python3; npm install --no-save node-addon-api), then run "npx flatmin build"',
    ]);
  });

  it('is built by `flatmin build`', { timeout: 600_000 }, () => {
    addBuilders(project);
    const { status, output } = flatmin(project, ['build'], gyp);
    // The plan is on stderr, the outcome on stdout.
    const plan =
      /^flatmin: compiling CPU kernels \(node-gyp\), about \d+ minutes? on \d+ cores?; log: .*build\.log$/;
    expect(flatminLines(output).sort()).toEqual([
      expect.stringMatching(plan),
      `flatmin: native build done (node-gyp, CPU only): ${addon}`,
    ]);
    expect(status).toBe(0);
    expect(doctor(project)).toMatchObject({
      backend: 'native',
      native: { path: addon, builder: 'node-gyp', reason: null },
    });
    const { ctimeMs } = statSync(addon);
    expect(flatmin(project, ['build'], gyp).output).toContain('native build is current');
    expect(statSync(addon).ctimeMs).toBe(ctimeMs);
  });
});

describe('a compiler that fails', () => {
  it('leaves a log and JavaScript, with the reason', () => {
    renameSync(objects, join(folder, 'objects'));
    rmSync(join(installed, 'build'), { recursive: true });
    const { status, output } = flatmin(project, ['build'], { FLATMIN_BUILD: 'gyp', CXX: 'false' });
    expect(status).toBe(1);
    const log = join(installed, 'build', 'build.log');
    const line = flatminLines(output).find((text) => text.includes('no native build'));
    expect(line).toContain('JavaScript will do the work: node-gyp failed');
    expect(line).toContain(`see ${log}, then run "npx flatmin build"`);
    expect(doctor(project)).toMatchObject({
      backend: 'js',
      native: { reason: expect.stringContaining('own build: node-gyp failed') },
    });
  });
});
