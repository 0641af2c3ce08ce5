import type { BuildRecord } from './record.mjs';

/** `fresh`: something was done now. */
export type BuildOutcome = BuildRecord & { fresh: boolean };

export function buildNative(options: { retry: boolean }): Promise<BuildOutcome>;
