import type { Value } from '../graph/graph.ts';
import { defineOp, expectType, f32, graphOf } from './define.ts';
import { scatterAdd } from './gather.ts';

const embeddingOp = defineOp({
  name: 'embedding',
  infer: ([table, tokens]) => {
    expectType('embedding', 'a table', table, 'f32', [null, null]);
    expectType('embedding', 'tokens', tokens, 'i32');
    return [f32(...tokens.shape, table.shape[1])];
  },
  gradient: ({ inputs: [table, tokens] }, [dy]) => [
    dy && scatterAdd(dy, tokens, table.shape),
    undefined,
  ],
  tangent: ({ inputs: [, tokens] }, [dtable]) => [dtable && embedding(dtable, tokens)],
  tap: ({ inputs: [weight, input], outputs: [preActivation], attrs }) => ({
    kind: 'embedding',
    input,
    preActivation,
    weight,
    bias: undefined,
    attrs,
  }),
  indexes: ({ inputs: [table, tokens] }) => ({
    by: tokens,
    what: 'token',
    least: -1,
    count: table.shape[0],
    of: 'rows of the embedding',
  }),
  kernel: ({ inputs: [table, tokens], outputs: [y] }) => {
    const [count, width] = table.shape;
    return () => {
      for (let r = 0; r < tokens.size; r++) {
        const token = tokens.data[r];
        const row = y.data.subarray(r * width, (r + 1) * width);
        if (token >= 0 && token < count) {
          row.set(table.data.subarray(token * width, (token + 1) * width));
        } else {
          row.fill(token === -1 ? 0 : NaN);
        }
      }
    };
  },
});

/**
 * Rows of a table [vocabulary, dim] by tokens i32 […] → […, dim]. Token −1, padding, gives zeros, any other outside
 * 0 … vocabulary − 1 a row of NaN.
 */
export const embedding = (table: Value, tokens: Value): Value =>
  graphOf('embedding', table, tokens).add(embeddingOp, [table, tokens], {})[0];
