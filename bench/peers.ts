/** Other programs that do the same work, where they are installed. */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describeTarget } from './flatmin.ts';
import type { Sides } from './kernels.ts';
import type { Subject } from './suite.ts';

/** In the package's root, where npm runs scripts. */
const SOURCES = 'bench/peers';
const BUILT = 'build/bench/peers';
/** Debian's own: python3-torch is installed for no other. */
const PYTHON = '/usr/bin/python3';

/** Why a peer cannot run; null when it can. */
type Lack = string | null;

const named = (peer: string, threads: number) =>
  `${peer}, ${describeTarget({ device: 'cpu', threads }).slice('cpu, '.length)}`;

const torchLack = once((): Lack => {
  const found = spawnSync(PYTHON, ['-c', 'import torch']).status === 0;
  return found ? null : 'PyTorch is not installed (apt-get install python3-torch)';
});

/** A work of torch_peer.py with its arguments. */
export const torch = (work: string, threads: number, ...args: readonly unknown[]): Subject => ({
  name: named('PyTorch', threads),
  command: [PYTHON, `${SOURCES}/torch_peer.py`, String(threads), work, JSON.stringify(args)],
  lack: torchLack,
});

const compiled = (source: string, libraries: readonly string[], remedy: string) =>
  once((): Lack => {
    mkdirSync(BUILT, { recursive: true });
    const flags = ['-O3', '-march=native', '-pthread', '-o', `${BUILT}/${source}`];
    const { status } = spawnSync('cc', [...flags, `${SOURCES}/${source}.c`, ...libraries]);
    return status === 0 ? null : `${source}.c does not compile (${remedy})`;
  });

const triadLack = compiled('triad', [], 'apt-get install gcc');
const openblasLack = compiled('openblas', ['-lopenblas'], 'apt-get install gcc libopenblas-dev');

const tensorflowLack = once((): Lack => {
  try {
    createRequire(import.meta.url).resolve('@tensorflow/tfjs');
    return null;
  } catch {
    return 'TensorFlow.js is not installed (npm install @tensorflow/tfjs)';
  }
});

/** A work of tfjs_peer.mjs with its arguments, on TensorFlow.js's own JavaScript kernels. */
export const tensorflow = (work: string, ...args: readonly unknown[]): Subject => ({
  name: 'TensorFlow.js, CPU',
  command: [process.execPath, `${SOURCES}/tfjs_peer.mjs`, work, JSON.stringify(args)],
  lack: tensorflowLack,
});

/** A plain loop a = b + s c that moves so many bytes. */
export const triad = (threads: number, bytes: number): Subject => ({
  name: named('C triad', threads),
  command: [`${BUILT}/triad`, String(threads), String(bytes)],
  lack: triadLack,
});

export const openblas = (threads: number, { m, n, k, transA, transB }: Sides): Subject => ({
  name: named('OpenBLAS', threads),
  command: [
    `${BUILT}/openblas`,
    ...[threads, m, n, k].map(String),
    transA ? 't' : 'n',
    transB ? 't' : 'n',
  ],
  lack: openblasLack,
});

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
