import type { BuildOutcome } from './build.mjs';

export function describeBuild(outcome: BuildOutcome): string;
