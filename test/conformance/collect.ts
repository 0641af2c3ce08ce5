/** Finds the cases and loads every op, by file name. */
import { readdirSync, readFileSync } from 'node:fs';
import { findOp, opNames } from '../../src/ops/define.ts';
import type { Case } from './harness.ts';

async function importAll<M>(folder: URL): Promise<M[]> {
  const names = readdirSync(folder).filter((name) => /^[^.]+\.[jt]s$/.test(name));
  return Promise.all(names.sort().map((name) => import(new URL(name, folder).href) as Promise<M>));
}

const OPS = new URL('../../src/ops/', import.meta.url);
const CASES = new URL('./cases/', import.meta.url);
const CPU_KERNELS = new URL('../../native/cpu/kernels.h', import.meta.url);
const CUDA_KERNELS = new URL('../../native/cuda/kernels.h', import.meta.url);

export async function collectCases(): Promise<Case[]> {
  await importAll(OPS);
  const modules = await importAll<{ cases: readonly Case[] }>(CASES);
  return modules.flatMap((module) => module.cases);
}

/** Ops that executors run: all but aliases, which are no instructions. */
export const executedOps = (): string[] =>
  opNames().filter((name) => findOp(name).alias === undefined);

const listed = (file: URL): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/^ {2}KERNEL\((\w+)\)/gm)].map(([, name]) => name);

/** Ops listed as having a C++ kernel. */
export const cpuKernels = (): string[] => listed(CPU_KERNELS);

/** Ops listed as having a CUDA kernel. */
export const cudaKernels = (): string[] => listed(CUDA_KERNELS);
