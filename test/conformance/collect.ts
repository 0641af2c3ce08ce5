/** Finds the cases and loads every op, by file name. */
import { readdirSync, readFileSync } from 'node:fs';
import { findOp, opNames } from '../../src/ops/define.ts';
import type { Case } from './harness.ts';

/** The modules of a folder, by file name. */
export async function importAll<M>(folder: URL): Promise<M[]> {
  const names = readdirSync(folder).filter((name) => /^[^.]+\.[jt]s$/.test(name));
  return Promise.all(names.sort().map((name) => import(new URL(name, folder).href) as Promise<M>));
}

const OPS = new URL('../../src/ops/', import.meta.url);
const CASES = new URL('./cases/', import.meta.url);
const NATIVE_OPS = new URL('../../native/ops/list.h', import.meta.url);

export async function collectCases(): Promise<Case[]> {
  await importAll(OPS);
  const modules = await importAll<{ cases: readonly Case[] }>(CASES);
  return modules.flatMap((module) => module.cases);
}

/** Ops that executors run: all but aliases, which are no instructions. */
export const executedOps = (): string[] =>
  opNames().filter((name) => findOp(name).alias === undefined);

/** Ops listed as having a C++ and a CUDA kernel. */
export const nativeOps = (): string[] =>
  [...readFileSync(NATIVE_OPS, 'utf8').matchAll(/^ {2}OP\((\w+)\)/gm)].map(([, name]) => name);
