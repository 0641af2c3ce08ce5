import type { BuildOutcome, Wanted } from './build.mjs';

export function describeBuild(outcome: BuildOutcome): string;
export function describePlan(wanted: Wanted): string;
