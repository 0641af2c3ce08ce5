import type { Memory, Peak } from './memory.ts';

/** The seconds of one repetition, what part of it was really performed when it was scaled up, and what it took. */
export interface Sample {
  readonly seconds: number;
  readonly measured?: string;
  /** Of another program its peak alone. */
  readonly memory?: Peak & Partial<Memory>;
}

/** A way to perform a piece of work: a command that runs it in a fresh process and prints a `Sample` as JSON. */
export interface Subject {
  readonly name: string;
  readonly command: readonly string[];
  /** Why it cannot be run here; null when it can. */
  readonly lack?: () => string | null;
}

/** One piece of work, performed by several subjects in turn. */
export interface Comparison {
  readonly name: string;
  /** The first is the baseline of all ratios. */
  readonly subjects: readonly Subject[];
  /** `speedup`: the baseline's seconds by the subject's; `cost`: the other way round. */
  readonly ratio: 'speedup' | 'cost';
  /** Default the suite's. */
  readonly rounds?: number;
  /** What one repetition gets done, for a rate: `giga` of 10⁹ `unit`. */
  readonly amount?: { readonly giga: number; readonly unit: 'FLOP' | 'B' };
}

export interface Suite {
  readonly name: string;
  readonly title: string;
  readonly rounds: number;
  /** Runs only when asked for by name. */
  readonly onRequest?: boolean;
  readonly comparisons: readonly Comparison[];
}

export interface Target {
  readonly device: 'js' | 'cpu';
  readonly threads: number;
}

/** flatmin's own pieces of work by name; `perform.ts` runs one of them in a process of its own. */
export type Works = Readonly<Record<string, (target: Target) => Sample | Promise<Sample>>>;
