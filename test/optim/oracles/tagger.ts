/** An embedding, a recurrent and a linear layer over tokens in doubles, which shows what K-FAC needs of each layer. */

import type { Rows } from './matrix.ts';
import type { LayerRows } from './network.ts';
import { matrixOf } from './network.ts';
import type { Tensors64 } from './oracle.ts';

/** Layers as weights [out, in], the table transposed: its inputs are unit vectors. */
export const layersOf = (params: Tensors64): string[] =>
  ['table', 'input', 'recurrent', 'projection', 'head'].filter(
    (name) => `${name}.weight` in params,
  );

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, i) => sum + x * b[i], 0);

export interface Tagged {
  /** Of every token, row after row. */
  readonly probabilities: number[][];
  /** Of every token what it shows of each layer, for Σ −log p(label) over all of them. */
  backward(labels: readonly number[]): LayerRows[][];
}

/** What a step of the recurrence puts out, and what goes back through it. */
interface Cell {
  readonly y: number[];
  readonly c: number[];
  /** By ∂loss/∂y and what comes from the cell of the next step. */
  back(dy: readonly number[], later: readonly number[]): { dz: number[]; dc: number[] };
}

function lstmCell(z: readonly number[], before: readonly number[]): Cell {
  const hidden = before.length;
  const gate = (k: number, f: (x: number) => number) =>
    z.slice(k * hidden, (k + 1) * hidden).map(f);
  const [i, f, g, o] = [gate(0, sigmoid), gate(1, sigmoid), gate(2, Math.tanh), gate(3, sigmoid)];
  const c = before.map((v, j) => f[j] * v + i[j] * g[j]);
  const t = c.map(Math.tanh);
  return {
    y: t.map((v, j) => o[j] * v),
    c,
    back: (dy, later) => {
      const dc = later.map((d, j) => d + dy[j] * o[j] * (1 - t[j] ** 2));
      const dz = [
        ...dc.map((d, j) => d * g[j] * i[j] * (1 - i[j])),
        ...dc.map((d, j) => d * before[j] * f[j] * (1 - f[j])),
        ...dc.map((d, j) => d * i[j] * (1 - g[j] ** 2)),
        ...dy.map((d, j) => d * t[j] * o[j] * (1 - o[j])),
      ];
      return { dz, dc: dc.map((d, j) => d * f[j]) };
    },
  };
}

function plainCell(z: readonly number[], before: readonly number[]): Cell {
  const y = z.map(Math.tanh);
  return {
    y,
    c: [...before],
    back: (dy) => ({ dz: dy.map((d, j) => d * (1 - y[j] ** 2)), dc: [...before] }),
  };
}

/** Wᵀ x over the first `width` columns. */
const back = (weight: Rows, x: readonly number[], width: number): number[] =>
  Array.from({ length: width }, (_, j) => x.reduce((s, v, k) => s + v * weight[k][j], 0));

/** Rows of tokens without their padding; an LSTM, with `projection.weight` projected, or a plain network of as many rows as units. */
export function tagger(params: Tensors64, rows: readonly (readonly number[])[]): Tagged {
  const matrix = (name: string) => matrixOf(params, name);
  const [table, input, recurrent, head] = ['table', 'input', 'recurrent', 'head'].map(matrix);
  const projection = 'projection.weight' in params ? matrix('projection') : undefined;
  const width = recurrent[0].length;
  const isPlain = input.length === width;
  const hidden = projection === undefined ? width : projection[0].length;
  const sequences = rows.map((tokens) => {
    let h = Array<number>(width).fill(0);
    let c = Array<number>(hidden).fill(0);
    return tokens.map((token) => {
      const unit = table[0].map((_, v) => (v === token ? 1 : 0));
      const x = [...table.map((row) => dot(row, unit)), 1];
      const before = h;
      const z = input.map((row, k) => dot(row, x) + dot(recurrent[k], before));
      const cell = (isPlain ? plainCell : lstmCell)(z, c);
      c = cell.c;
      h = projection === undefined ? cell.y : projection.map((row) => dot(row, cell.y));
      const top = [...h, 1];
      const e = head.map((row) => Math.exp(dot(row, top)));
      const total = e.reduce((a, b) => a + b);
      return { unit, x, before, cell, top, p: e.map((v) => v / total) };
    });
  });

  const backward = (labels: readonly number[]): LayerRows[][] => {
    let at = 0;
    return sequences.flatMap((steps) => {
      const own = labels.slice(at, at + steps.length);
      at += steps.length;
      let later = Array<number>(width).fill(0);
      let dc = Array<number>(hidden).fill(0);
      return steps
        .map((step, t) => ({ step, label: own[t] }))
        .reverse()
        .map(({ step, label }): LayerRows[] => {
          const dlogits = step.p.map((p, k) => p - (k === label ? 1 : 0));
          const dh = back(head, dlogits, width).map((d, j) => d + later[j]);
          const dy = projection === undefined ? dh : back(projection, dh, hidden);
          const passed = step.cell.back(dy, dc);
          const { dz } = passed;
          dc = passed.dc;
          later = back(recurrent, dz, width);
          const projected = { name: 'projection', inputs: [step.cell.y], grads: [dh] };
          return [
            { name: 'table', inputs: [step.unit], grads: [back(input, dz, table.length)] },
            { name: 'input', inputs: [step.x], grads: [dz] },
            { name: 'recurrent', inputs: [step.before], grads: [dz] },
            ...(projection === undefined ? [] : [projected]),
            { name: 'head', inputs: [step.top], grads: [dlogits] },
          ];
        })
        .reverse();
    });
  };
  return { probabilities: sequences.flat().map(({ p }) => p), backward };
}
