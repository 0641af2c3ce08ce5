import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { platform } from '../../scripts/platform.mjs';
import { addonPath, readRecord, sourcesHash, version } from '../../scripts/record.mjs';
import { findTools, toolVersion } from '../../scripts/tools.mjs';
import {
  type Attempt,
  type CudaReport,
  type LoadedAddon,
  loadAddon,
} from '../backend/native/addon.ts';
import { type CudaState, cudaState } from './cuda-state.ts';

interface Tool {
  readonly path: string;
  readonly version: string | null;
}

export interface Diagnosis {
  readonly version: string;
  readonly node: string;
  readonly platform: string;
  /** Which of the two does the work. */
  readonly backend: 'native' | 'js';
  /** What `device: 'auto'` picks. */
  readonly auto: 'js' | 'cpu';
  readonly native: {
    readonly path: string | null;
    /** Null where a package brought it. */
    readonly builder: 'node-gyp' | 'cmake-js' | 'unknown' | null;
    readonly isa: string | null;
    /** Every place that was looked at, in this order, and why it was not taken; null for the one that was. */
    readonly attempts: readonly Attempt[];
    /** Why there is none, or why it lacks CUDA. */
    readonly reason: string | null;
    readonly remedy: string | null;
  };
  readonly tools: Readonly<Record<'compiler' | 'make' | 'python' | 'cmake' | 'nvcc', Tool | null>>;
  readonly cuda: CudaState &
    Pick<CudaReport, 'compiled' | 'toolkit' | 'driver' | 'devices' | 'blas' | 'blasReason'>;
}

const builders = { gyp: 'node-gyp', cmake: 'cmake-js', js: 'unknown' } as const;

export function diagnose(): Diagnosis {
  const loaded = loadAddon();
  const tools = findVersions();
  const report = loaded.addon?.cuda ?? null;
  const driver = report?.driver ?? driverVersion();
  const nvcc = tools.nvcc?.version ?? null;
  const cuda = cudaState(report, { nvcc, driver });
  return {
    version,
    node: process.version,
    platform,
    backend: loaded.addon === null ? 'js' : 'native',
    auto: loaded.addon === null ? 'js' : 'cpu',
    native: nativeBuild(loaded),
    tools,
    cuda: {
      ...cuda,
      compiled: report?.compiled ?? false,
      toolkit: report?.toolkit ?? nvcc,
      driver,
      devices: report?.devices ?? [],
      blas: report?.blas ?? null,
      blasReason: report?.blasReason ?? null,
    },
  };
}

export function describe(diagnosis: Diagnosis): string {
  const { native, tools, cuda } = diagnosis;
  const entries = Object.entries(tools).map(([name, found]) => [
    name,
    found === null ? 'not found' : `${found.version ?? 'version unknown'} (${found.path})`,
  ]);
  const help = (remedy: string | null) => (remedy === null ? [] : [['', `help: ${remedy}`]]);
  const rows = [
    ['flatmin', diagnosis.version],
    ['node', `${diagnosis.node} on ${diagnosis.platform}`],
    [
      'kernels',
      native.path === null ? 'none that can be used, of these' : `compiled, ${native.isa}`,
    ],
    ...native.attempts.map(({ name, path, reason }) => [
      '',
      `${name}: ${reason ?? (native.builder === null ? 'loaded' : `loaded, by ${native.builder}`)}${path === null ? '' : ` (${path})`}`,
    ]),
    ...(native.path !== null && native.reason !== null ? [['', native.reason]] : []),
    ...help(native.remedy),
    ...entries,
    ['CUDA', cuda.message],
    ...help(cuda.remedy),
    ...(cuda.compiled ? [['CUDA products', cuda.blas ?? `own kernel: ${cuda.blasReason}`]] : []),
    ["device 'auto'", `${diagnosis.auto} (${autoNames[diagnosis.auto]})`],
  ];
  return rows.map(([name, text]) => `${name.padEnd(15)}${text}`.trimEnd()).join('\n');
}

const autoNames = { js: 'JavaScript, the fallback', cpu: 'native kernels' };

function nativeBuild({ addon, path, attempts, reason, remedy }: LoadedAddon): Diagnosis['native'] {
  const found = { path, attempts, isa: addon?.isa ?? null };
  if (path !== addonPath) return { ...found, builder: null, reason, remedy };
  const record = readRecord();
  const build = { ...found, builder: builders[record?.builder ?? 'js'] };
  const rebuild = 'run "npx flatmin build"';
  if (record !== null && record.hash !== sourcesHash())
    return { ...build, reason: 'the sources have changed since', remedy: rebuild };
  const help = record?.remedy ? `${record.remedy}, then ${rebuild}` : null;
  return { ...build, reason: record?.reason ?? null, remedy: help };
}

function findVersions(): Diagnosis['tools'] {
  const { compiler, make, python, cmake, nvcc } = findTools();
  const versioned = (path: string | null) =>
    path === null ? null : { path, version: toolVersion(path) };
  return {
    compiler: versioned(compiler),
    make: versioned(make),
    python: versioned(python),
    cmake: versioned(cmake),
    nvcc: versioned(nvcc),
  };
}

/** Of the NVIDIA driver, for a build that cannot ask it. */
function driverVersion(): string | null {
  const kernelModule = '/proc/driver/nvidia/version';
  if (existsSync(kernelModule))
    return /\b\d+\.\d+(\.\d+)?\b/.exec(readFileSync(kernelModule, 'utf8'))?.[0] ?? 'unknown';
  const query = ['--query-gpu=driver_version', '--format=csv,noheader'];
  const { status, stdout } = spawnSync('nvidia-smi', query, { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n')[0].trim() : null;
}
