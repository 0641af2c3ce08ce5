import { mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { doctor, emptyProject, flatmin, npm, pack, pathWithoutCompiler } from './package.ts';

const folder = mkdtempSync(join(tmpdir(), 'flatmin-install-'));
const project = join(folder, 'elsewhere');
const installed = join(project, 'node_modules', 'flatmin');
const addon = join(installed, 'build', 'Release', 'flatmin.node');
const objects = join(installed, 'native', 'build');
// Unoptimised, for the sake of time.
const gyp = { FLATMIN_BUILD: 'gyp', CXXFLAGS: '-O0' };
let tarball = '';

beforeAll(() => {
  tarball = pack(folder);
  emptyProject(project);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const flatminLines = (output: string) =>
  output.split('\n').filter((line) => line.startsWith('flatmin: '));

/** Which the install says before it compiles. */
const plan = expect.stringMatching(
  /^flatmin: compiling CPU kernels \(node-gyp\), about \d+ minutes? on \d+ cores?; log: .*build\.log$/,
);

describe('a tarball installed elsewhere', () => {
  it('is built by npm install, once', { timeout: 600_000 }, () => {
    const { status, output } = npm(project, ['install', tarball], gyp);
    expect(flatminLines(output)).toEqual([
      plan,
      `flatmin: native build done (node-gyp, CPU only): ${addon}`,
    ]);
    expect(status).toBe(0);
    expect(doctor(project)).toMatchObject({
      backend: 'native',
      native: { builder: 'node-gyp', path: addon, reason: null },
    });

    const { ctimeMs } = statSync(addon);
    const again = npm(project, ['rebuild', 'flatmin'], gyp);
    expect(again.output).toContain('scripts/install.mjs');
    expect(flatminLines(again.output)).toEqual([]);
    expect(statSync(addon).ctimeMs).toBe(ctimeMs);
  });

  it('is built by `flatmin build` after --ignore-scripts', { timeout: 600_000 }, () => {
    const kept = join(folder, 'objects');
    renameSync(objects, kept);
    rmSync(installed, { recursive: true });
    expect(npm(project, ['install', tarball, '--ignore-scripts']).status).toBe(0);
    expect(doctor(project)).toMatchObject({
      backend: 'js',
      native: { reason: 'it was never built: no install script ran' },
    });

    // These sources were compiled above; what is tested is the route.
    renameSync(kept, objects);
    const { status, output } = flatmin(project, ['build'], gyp);
    // The plan is on stderr, the outcome on stdout.
    expect(flatminLines(output).sort()).toEqual([
      plan,
      `flatmin: native build done (node-gyp, CPU only): ${addon}`,
    ]);
    expect(status).toBe(0);
    expect(doctor(project)).toMatchObject({ backend: 'native', native: { path: addon } });
  });
});

describe('a machine without a compiler', () => {
  it('falls back to JavaScript with one line', () => {
    rmSync(installed, { recursive: true, force: true });
    const env = { PATH: pathWithoutCompiler(join(folder, 'bin')) };
    const { status, output } = npm(project, ['install', tarball], env);
    expect(status).toBe(0);
    expect(flatminLines(output)).toEqual([
      'flatmin: no native build, JavaScript will do the work: a C++ compiler (g++ or clang++), make, ' +
        'python3 not found; install them (Debian, Ubuntu: apt-get install g++ make python3), ' +
        'then run "npx flatmin build"',
    ]);
    const diagnosis = doctor(project, env);
    expect(diagnosis).toMatchObject({ backend: 'js', auto: 'js', tools: { compiler: null } });
    expect(diagnosis.native.reason).toContain('a C++ compiler');
    expect(flatmin(project, ['build'], env).status).toBe(1);
  });

  it('is told so by training, unless JavaScript was asked for', () => {
    const sizes = ['--epochs', '1', '--examples', '100', '--test-examples', '100'];
    const train = ['train', 'digits', '--optimizer', 'sgd', '--synthetic', ...sizes];
    const told = (...more: string[]) => {
      const { status, output } = flatmin(project, [...train, ...more]);
      expect(status).toBe(0);
      return flatminLines(output);
    };
    expect(told()).toEqual([
      'flatmin: no native kernels (a C++ compiler (g++ or clang++), make, python3 not found), JavaScript does the ' +
        'work, some fifty times as slowly; help: install them (Debian, Ubuntu: apt-get install g++ make python3), ' +
        'then run "npx flatmin build"',
    ]);
    expect(told('--device', 'js')).toEqual([]);
  });
});

describe('a compiler that fails', () => {
  it('leaves a log, JavaScript, and one line that a second install repeats', () => {
    const env = { FLATMIN_BUILD: 'gyp', CXX: 'false' };
    const log = join(installed, 'build', 'build.log');
    const { status, output } = npm(project, ['rebuild', 'flatmin'], env);
    expect(status).toBe(0);
    const [announced, line, ...others] = flatminLines(output);
    expect(announced).toEqual(plan);
    expect(line).toContain(
      'flatmin: no native build, JavaScript will do the work: node-gyp failed',
    );
    expect(line).toContain(`see ${log}, then run "npx flatmin build"`);
    expect(others).toEqual([]);
    expect(doctor(project)).toMatchObject({ backend: 'js' });

    const { ctimeMs } = statSync(log);
    expect(flatminLines(npm(project, ['rebuild', 'flatmin'], env).output)).toEqual([line]);
    expect(statSync(log).ctimeMs).toBe(ctimeMs);
  });
});
