import { checkNames, checkWhole, wrongArgument } from '../arguments.ts';
import type { Value } from '../graph/graph.ts';
import { showType } from '../graph/types.ts';
import { defineOp, expectType, graphOf, shapeError } from './define.ts';

type Attrs = Readonly<{
  heads: number;
  base: number;
  /** 1, or −1 to turn back. */
  direction: number;
}>;

const rotaryOp = defineOp<Attrs>({
  name: 'rotary',
  infer: ([x, start], { heads }) => {
    expectType('rotary', 'its operand', x, 'f32', [null, null, null]);
    if (start !== undefined) expectType('rotary', 'a start', start, 'i32', []);
    if (x.shape[2] % (2 * heads) !== 0) {
      throw shapeError(
        `rotary expects a width that ${heads} heads divide into an even number each, got ${showType(x)}`,
      );
    }
    return [x];
  },
  runs: ({ inputs: [x] }, input) => (input === 0 ? x.shape[0] : 1),
  gradient: ({ op, inputs: [, ...start], attrs }, [dy]) => [
    dy?.graph.add(op, [dy, ...start], { ...attrs, direction: -attrs.direction })[0],
    undefined,
  ],
  tangent: ({ op, inputs: [, ...start], attrs }, [dx]) => [
    dx?.graph.add(op, [dx, ...start], attrs)[0],
  ],
  kernel: ({ inputs: [x, start], outputs: [y], attrs: { heads, base, direction } }) => {
    const [, steps, width] = x.shape;
    const half = width / heads / 2;
    return () => {
      for (let at = 0, row = 0; at < x.size; at += width, row++) {
        const position = (row % steps) + (start?.data[0] ?? 0);
        for (let i = 0; i < half; i++) {
          const angle = position * base ** (-i / half);
          const cos = Math.cos(angle);
          const sin = direction * Math.sin(angle);
          for (let first = at + i; first < at + width; first += 2 * half) {
            const [a, b] = [x.data[first], x.data[first + half]];
            y.data[first] = a * cos - b * sin;
            y.data[first + half] = a * sin + b * cos;
          }
        }
      }
    };
  },
});

export interface RotaryOptions {
  /** Heads that the width is divided into, side by side. Default 1. */
  readonly heads?: number;
  /** Default 10,000. */
  readonly base?: number;
  /** The position of the first step, i32 []. Default 0. */
  readonly start?: Value | undefined;
}

/**
 * Rotary positions (Su et al. 2021) of queries or keys [batch, steps, width]: in each head of d numbers the pair (i, i + d/2)
 * is turned by position · base^(−2i/d), so that scores depend on distances alone.
 */
export function rotary(x: Value, options: RotaryOptions = {}): Value {
  checkNames<RotaryOptions>('rotary', options, { heads: true, base: true, start: true });
  const { heads = 1, base = 10_000, start } = options;
  checkWhole('heads of rotary', heads, 1);
  if (!(Number.isFinite(base) && base > 0)) {
    throw wrongArgument('base of rotary', 'a finite number above 0', base);
  }
  const operands = start === undefined ? [x] : [x, start];
  return graphOf('rotary', ...operands).add(rotaryOp, operands, { heads, base, direction: 1 })[0];
}
