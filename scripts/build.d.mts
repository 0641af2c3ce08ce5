import type { BuildRecord } from './record.mjs';

/** `fresh`: something was done now. */
export type BuildOutcome = BuildRecord & { fresh: boolean };

/** What is about to be compiled. */
export interface Wanted {
  route: 'cmake' | 'gyp';
  cuda?: string | null;
}

export function buildNative(options: {
  retry: boolean;
  announce?: (wanted: Wanted) => void;
  tell?: (progress: { begun: number; total: number }) => void;
}): Promise<BuildOutcome>;
