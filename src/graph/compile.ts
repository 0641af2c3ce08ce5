import type { Graph, Value } from './graph.ts';
import { planArena } from './passes/arena.ts';
import { type CompilerPass, draftOf } from './passes/draft.ts';
import { shareInPlace } from './passes/in-place.ts';
import { keepLive } from './passes/live.ts';
import { numbered } from './passes/number.ts';
import { checkSections } from './passes/sections.ts';
import type { ProgramSpec } from './types.ts';

export interface CompileOptions {
  /** f32 scalars reported after every step. */
  readonly reports?: readonly Value[];
  /** The status block (i32, in the store). */
  readonly status?: Value;
}

export interface Compiled {
  readonly spec: ProgramSpec;
  readonly graph: Graph;
  /** Arena bytes that sharing saved. */
  readonly savedBytes: number;
}

/** In their order. What rewrites nodes belongs before `shareInPlace`, which looks at who reads a value last. */
const PASSES: readonly CompilerPass[] = [keepLive, checkSections, shareInPlace, planArena];

/** Turns a trace into a program: drops what nothing reads, plans buffers, numbers everything. */
export function compile(graph: Graph, { reports, status }: CompileOptions = {}): Compiled {
  const draft = PASSES.reduce((made, pass) => pass(made), draftOf(graph, reports, status));
  return { graph, savedBytes: draft.savedBytes, spec: numbered(draft) };
}
