import { describe, expect, it } from 'vitest';
import { forEachNormal, permutation, philoxBlock, uniforms } from '../../src/random/philox.ts';
import { normal } from './normal.ts';

const hex = (words: Uint32Array) =>
  [...words].map((w) => w.toString(16).padStart(8, '0')).join(' ');

describe('Philox4x32-10', () => {
  // Known answers of the Random123 distribution (kat_vectors), key and counter laid out as documented.
  it('gives the published answers', () => {
    const out = new Uint32Array(4);
    philoxBlock(out, { seed: 0, stream: 0, step: 0 }, 0);
    expect(hex(out)).toBe('6627e8d5 e169c58d bc57ac4c 9b00dbd8');
  });

  it('agrees with exact integer arithmetic on random counters', () => {
    const M = 0xffffffffn;
    const exact = (c: bigint[], k: bigint[]) => {
      let [c0, c1, c2, c3] = c;
      let [k0, k1] = k;
      for (let r = 0; r < 10; r++) {
        const p0 = 0xd2511f53n * c0;
        const p1 = 0xcd9e8d57n * c2;
        [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & M, (p0 >> 32n) ^ c3 ^ k1, p0 & M];
        k0 = (k0 + 0x9e3779b9n) & M;
        k1 = (k1 + 0xbb67ae85n) & M;
      }
      return [c0, c1, c2, c3].map((w) => w.toString(16).padStart(8, '0')).join(' ');
    };
    const out = new Uint32Array(4);
    for (let i = 0; i < 200; i++) {
      const seed = (i * 7919 * 2 ** 31 + i * 65537) % 2 ** 53;
      const source = { seed, stream: (i * 2654435761) >>> 0, step: (i * 40503 * 7) >>> 0 };
      philoxBlock(out, source, i * 2 ** 29);
      const block = BigInt(i * 2 ** 29);
      expect(hex(out)).toBe(
        exact(
          [block & M, block >> 32n, BigInt(source.step), BigInt(source.stream)],
          [BigInt(seed) & M, BigInt(seed) >> 32n],
        ),
      );
    }
  });

  it('draws uniforms in [0, 1) with the right mean', () => {
    const u = uniforms({ seed: 3, stream: 1, step: 2 }, 40001);
    const mean = u.reduce((a, b) => a + b, 0) / u.length;
    expect(Math.min(...u)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...u)).toBeLessThan(1);
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.006);
  });

  it('draws normals: each by its element alone, with the moments of N(0, 1)', () => {
    const source = { seed: 5, stream: 9, step: 4 };
    const draw = (count: number) => {
      const z: number[] = [];
      forEachNormal(source, count, (i, v) => {
        expect(i).toBe(z.length);
        z.push(v);
      });
      return z;
    };
    for (const count of [0, 1, 2, 3, 4, 5, 9]) {
      expect(draw(count)).toEqual(Array.from({ length: count }, (_, i) => normal(source, i)));
    }
    const z = draw(40000);
    const mean = (f: (v: number, i: number) => number) =>
      z.reduce((a, v, i) => a + f(v, i), 0) / z.length;
    expect(Math.abs(mean((v) => v))).toBeLessThan(0.025);
    expect(Math.abs(mean((v) => v ** 2) - 1)).toBeLessThan(0.036);
    expect(Math.abs(mean((v) => v ** 4) - 3)).toBeLessThan(0.25);
    // Neighbours of a pair share the radius, and yet do not depend on each other.
    expect(Math.abs(mean((v, i) => v * z[i ^ 1]))).toBeLessThan(0.036);
  });

  it('permutes: every index once, other orders for other steps', () => {
    const a = permutation({ seed: 1, stream: 0, step: 0 }, 1000);
    const b = permutation({ seed: 1, stream: 0, step: 1 }, 1000);
    expect([...a].sort((x, y) => x - y)).toEqual([...Array(1000).keys()]);
    expect(a).not.toEqual(b);
    expect(permutation({ seed: 1, stream: 0, step: 0 }, 0)).toHaveLength(0);
  });
});
