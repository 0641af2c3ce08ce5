import { describe, expect, it } from 'vitest';
import { type Lifetime, planBuffers } from '../../src/graph/plan.ts';
import { philoxBlock } from '../../src/random/philox.ts';

const overlaps = (a: Lifetime, b: Lifetime) => a.start <= b.end && b.start <= a.end;

describe('planBuffers', () => {
  it('gives disjoint lifetimes the same memory', () => {
    const plan = planBuffers([
      { bytes: 100, start: 0, end: 1 },
      { bytes: 100, start: 2, end: 3 },
    ]);
    expect(plan).toEqual({ offsets: [0, 0], arenaBytes: 128, unsharedBytes: 256 });
  });

  it('keeps apart what meets in one instruction', () => {
    const { offsets } = planBuffers([
      { bytes: 64, start: 0, end: 1 },
      { bytes: 64, start: 1, end: 2 },
    ]);
    expect(new Set(offsets)).toEqual(new Set([0, 64]));
  });

  it('puts a small buffer into a gap', () => {
    const { offsets, arenaBytes } = planBuffers([
      { bytes: 640, start: 0, end: 9 },
      { bytes: 320, start: 0, end: 4 },
      { bytes: 64, start: 5, end: 9 },
    ]);
    expect(offsets).toEqual([0, 640, 640]);
    expect(arenaBytes).toBe(960);
  });

  it('never overlaps live buffers, and aligns them, for random lifetimes', () => {
    const words = new Uint32Array(4);
    for (let round = 0; round < 50; round++) {
      const lifetimes = Array.from({ length: 60 }, (_, i) => {
        philoxBlock(words, { seed: round, stream: 0, step: i }, 0);
        const start = words[0] % 40;
        return { bytes: words[1] % 5000, start, end: start + (words[2] % 10) };
      });
      const { offsets, arenaBytes } = planBuffers(lifetimes);
      lifetimes.forEach((a, i) => {
        expect(offsets[i] % 64).toBe(0);
        expect(offsets[i] + a.bytes).toBeLessThanOrEqual(arenaBytes);
        lifetimes.slice(0, i).forEach((b, j) => {
          if (!overlaps(a, b)) return;
          const apart = offsets[i] + a.bytes <= offsets[j] || offsets[j] + b.bytes <= offsets[i];
          expect(apart).toBe(true);
        });
      });
    }
  });
});
