/** An embedding, an LSTM and a linear layer over tokens in doubles, which shows what K-FAC needs of each layer. */
import type { LayerRows } from './network.ts';
import { matrixOf } from './network.ts';
import type { Tensors64 } from './oracle.ts';

/** Layers as weights [out, in], the table transposed: its inputs are unit vectors. */
export const LAYERS = ['table', 'input', 'recurrent', 'head'];

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, i) => sum + x * b[i], 0);

export interface Tagged {
  /** Of every token, row after row. */
  readonly probabilities: number[][];
  /** Of every token what it shows of each layer, for Σ −log p(label) over all of them. */
  backward(labels: readonly number[]): LayerRows[][];
}

/** Rows of tokens without their padding. */
export function tagger(params: Tensors64, rows: readonly (readonly number[])[]): Tagged {
  const [table, input, recurrent, head] = LAYERS.map((name) => matrixOf(params, name));
  const hidden = recurrent[0].length;
  const sequences = rows.map((tokens) => {
    let h = Array<number>(hidden).fill(0);
    let c = [...h];
    return tokens.map((token) => {
      const unit = table[0].map((_, v) => (v === token ? 1 : 0));
      const x = [...table.map((row) => dot(row, unit)), 1];
      const z = input.map((row, k) => dot(row, x) + dot(recurrent[k], h));
      const gate = (k: number, f: (x: number) => number) =>
        z.slice(k * hidden, (k + 1) * hidden).map(f);
      const [i, f, g, o] = [
        gate(0, sigmoid),
        gate(1, sigmoid),
        gate(2, Math.tanh),
        gate(3, sigmoid),
      ];
      const before = { h, c };
      c = c.map((v, j) => f[j] * v + i[j] * g[j]);
      h = c.map((v, j) => o[j] * Math.tanh(v));
      const top = [...h, 1];
      const e = head.map((row) => Math.exp(dot(row, top)));
      const total = e.reduce((a, b) => a + b);
      return { unit, x, i, f, g, o, before, c, top, p: e.map((v) => v / total) };
    });
  });

  const backward = (labels: readonly number[]): LayerRows[][] => {
    let at = 0;
    return sequences.flatMap((steps) => {
      const own = labels.slice(at, at + steps.length);
      at += steps.length;
      let later = Array<number>(hidden).fill(0);
      let dc = [...later];
      return steps
        .map((step, t) => ({ step, label: own[t] }))
        .reverse()
        .map(({ step, label }): LayerRows[] => {
          const { i, f, g, o, before, c } = step;
          const dlogits = step.p.map((p, k) => p - (k === label ? 1 : 0));
          const dh = later.map((d, j) => d + dlogits.reduce((s, v, k) => s + v * head[k][j], 0));
          const y = c.map(Math.tanh);
          dc = dc.map((d, j) => d + dh[j] * o[j] * (1 - y[j] ** 2));
          const dz = [
            ...dc.map((d, j) => d * g[j] * i[j] * (1 - i[j])),
            ...dc.map((d, j) => d * before.c[j] * f[j] * (1 - f[j])),
            ...dc.map((d, j) => d * i[j] * (1 - g[j] ** 2)),
            ...dh.map((d, j) => d * y[j] * o[j] * (1 - o[j])),
          ];
          dc = dc.map((d, j) => d * f[j]);
          later = later.map((_, j) => dz.reduce((s, v, k) => s + v * recurrent[k][j], 0));
          const dx = table.map((_, j) => dz.reduce((s, v, k) => s + v * input[k][j], 0));
          return [
            { name: 'table', inputs: [step.unit], grads: [dx] },
            { name: 'input', inputs: [step.x], grads: [dz] },
            { name: 'recurrent', inputs: [before.h], grads: [dz] },
            { name: 'head', inputs: [step.top], grads: [dlogits] },
          ];
        })
        .reverse();
    });
  };
  return { probabilities: sequences.flat().map(({ p }) => p), backward };
}
