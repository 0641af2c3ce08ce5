import { wrongArgument } from '../arguments.ts';
import type { Value } from '../graph/graph.ts';
import { type Shape, sizeOf } from '../graph/types.ts';
import { defineOp, expectType, graphOf, shapeError } from './define.ts';
import { fill } from './fill.ts';
import { axisOf } from './reduce.ts';
import { reshape } from './reshape.ts';
import { slice } from './views.ts';

const concatOp = defineOp<{ outer: number }>({
  name: 'concat',
  infer: (types, { outer }) => {
    const [{ dtype }] = types;
    types.forEach((type, i) => {
      expectType('concat', `operand ${i}`, type, dtype, [outer, null]);
    });
    return [{ dtype, shape: [outer, types.reduce((n, { shape }) => n + shape[1], 0)] }];
  },
  runs: ({ attrs }) => attrs.outer,
  gradient: ({ inputs }, [dy]) => {
    let end = 0;
    return inputs.map(({ shape: [, width] }) => {
      const begin = end;
      end += width;
      return dy && slice(dy, [null, [begin, end]]);
    });
  },
  tangent: ({ op, inputs, attrs }, dxs) => {
    const { graph } = inputs[0];
    const given = inputs.map(({ shape }, i) => dxs[i] ?? fill(graph, shape, 0));
    return graph.add(op, given, attrs);
  },
  kernel: ({ inputs, outputs: [y] }) => {
    const [outer, width] = y.shape;
    return () => {
      let begin = 0;
      for (const x of inputs) {
        const own = x.shape[1];
        for (let o = 0; o < outer; o++) {
          y.data.set(x.data.subarray(o * own, (o + 1) * own), o * width + begin);
        }
        begin += own;
      }
    };
  },
});

/** The tensors of a list, of which there is one at least. */
function expectList(op: string, xs: unknown): asserts xs is readonly Value[] {
  if (!Array.isArray(xs) || xs.length === 0) {
    throw wrongArgument(`What ${op} takes`, 'a list of at least one traced value', xs);
  }
  graphOf(op, ...xs);
}

/** Tensors of one dtype one after the other along an axis (default 0), as NumPy's concatenate; other sizes must agree. */
export function concat(xs: readonly Value[], axis = 0): Value {
  expectList('concat', xs);
  const [first] = xs;
  const d = axisOf('concat', axis, first.shape);
  const others = ({ shape }: Value): string => shape.map((n, i) => (i === d ? '·' : n)).join(', ');
  const odd = xs.find((x) => others(x) !== others(first));
  if (odd !== undefined) {
    throw shapeError(
      `concat expects [${others(first)}] of all operands, got [${odd.shape.join(', ')}]`,
    );
  }
  const outer = sizeOf(first.shape.slice(0, d));
  const inner = sizeOf(first.shape.slice(d + 1));
  const rows = xs.map((x) => reshape(x, [outer, x.shape[d] * inner]));
  const length = xs.reduce((n, { shape }) => n + shape[d], 0);
  const shape: Shape = first.shape.map((n, i) => (i === d ? length : n));
  return reshape(first.graph.add(concatOp, rows, { outer })[0], shape);
}

/** Tensors of one shape side by side along a new axis (default 0), as NumPy's stack. */
export function stack(xs: readonly Value[], axis = 0): Value {
  expectList('stack', xs);
  const d = axisOf('stack', axis, [...xs[0].shape, 1]);
  return concat(
    xs.map((x) => reshape(x, [...x.shape.slice(0, d), 1, ...x.shape.slice(d)])),
    d,
  );
}

/** `parts` equal pieces along an axis (default 0), or pieces of the given sizes, as PyTorch's split. */
export function split(x: Value, parts: number | readonly number[], axis = 0): Value[] {
  graphOf('split', x);
  const d = axisOf('split', axis, x.shape);
  const length = x.shape[d];
  const equal = typeof parts === 'number' && parts >= 1 && parts <= length && length % parts === 0;
  const sizes = equal ? Array<number>(parts).fill(length / parts) : parts;
  const fits =
    Array.isArray(sizes) &&
    sizes.every((n) => Number.isSafeInteger(n) && n >= 0) &&
    sizes.reduce((n, m) => n + m, 0) === length;
  if (!fits) {
    throw wrongArgument(
      'The parts of split',
      `a divisor of ${length} or sizes that add up to it`,
      parts,
    );
  }
  let end = 0;
  return (sizes as number[]).map((size) => {
    const begin = end;
    end += size;
    return slice(x, [...Array<null>(d).fill(null), [begin, end]]);
  });
}
