import { describe, expect, it } from 'vitest';
import { contoursOf } from '../../src/report/contours.ts';

const domain = { x: [-2, 2], y: [-2, 2] } as const;

describe('contoursOf', () => {
  it('closes a line within the rectangle, at the level', () => {
    const [ring, ...others] = contoursOf((x, y) => x * x + 4 * y * y, domain, [1]);
    expect(others).toEqual([]);
    expect(ring.points.length).toBeGreaterThan(60);
    for (const [x, y] of ring.points) expect(x * x + 4 * y * y).toBeCloseTo(1, 2);
    const width = Math.max(...ring.points.map(([x]) => x));
    expect(width).toBeCloseTo(1, 2);
    expect(ring.label?.[1]).toBeCloseTo(-0.5, 2);
  });

  it('goes along the edge where the lower side leaves it, the highest level first', () => {
    const rings = contoursOf((x) => x, domain, [0, 1]);
    expect(rings.map(({ level }) => level)).toEqual([1, 0]);
    const corners = rings[1].points.filter(([, y]) => Math.abs(y) === 2);
    expect(Math.min(...corners.map(([x]) => x))).toBe(-2);
    expect(Math.max(...rings[1].points.map(([x]) => x))).toBeCloseTo(0, 10);
  });

  it('finds every part, and the hole in a ring', () => {
    const two = (x: number, y: number) => Math.min((x - 1) ** 2 + y * y, (x + 1) ** 2 + y * y);
    expect(contoursOf(two, domain, [0.25])).toHaveLength(2);
    expect(contoursOf((x, y) => Math.abs(Math.hypot(x, y) - 1), domain, [0.3])).toHaveLength(2);
    expect(contoursOf(() => Number.NaN, domain, [1])).toEqual([]);
  });
});
