import { expect, it } from 'vitest';
import { Graph } from '../../src/graph/graph.ts';
import { operationsOf } from '../../src/graph/operations.ts';
import { linear, relu, reshape } from '../../src/ops/index.ts';

it('counts a product’s multiplications, elements one each, and other shapes nothing', () => {
  const graph = new Graph();
  const of = (key: string, ...shape: number[]) => graph.stored(key, { dtype: 'f32', shape });
  const y = linear(of('x', 6, 5), of('w', 7, 5));
  expect(operationsOf(graph)).toBeCloseTo(6 * 5 * 7, 9);
  reshape(relu(y), [42]);
  expect(operationsOf(graph)).toBeCloseTo(6 * 5 * 7 + 42, 9);
});
