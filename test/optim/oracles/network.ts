import { multiply, type Rows, transpose } from './matrix.ts';
import type { Tensors64 } from './oracle.ts';

/** A small network in doubles, one example at a time, which shows what K-FAC needs of each layer. */
export type LayerSpec =
  | { kind: 'linear'; name: string }
  | {
      kind: 'conv2d';
      name: string;
      stride: readonly [number, number];
      padding: readonly [number, number];
    }
  | { kind: 'tanh' }
  | { kind: 'flatten' };

/** Of one example: the rows ā that a layer multiplies with its weights (one a position), and ∂loss/∂s for each. */
export interface LayerRows {
  readonly name: string;
  readonly inputs: Rows;
  readonly grads: Rows;
}

interface Cell {
  readonly shape: readonly number[];
  readonly data: number[];
}

/** [out, in (+ 1)]: the weights of a layer, and its bias as the last column. */
export function matrixOf(params: Tensors64, name: string): Rows {
  const { data, shape } = params[`${name}.weight`];
  const bias = params[`${name}.bias`];
  const width = data.length / shape[0];
  return Array.from({ length: shape[0] }, (_, o) => [
    ...data.subarray(o * width, (o + 1) * width),
    ...(bias === undefined ? [] : [bias.data[o]]),
  ]);
}

export function writeMatrix(params: Tensors64, name: string, matrix: Rows): void {
  const weight = params[`${name}.weight`].data;
  const bias = params[`${name}.bias`]?.data;
  const width = weight.length / matrix.length;
  matrix.forEach((row, o) => {
    weight.set(row.slice(0, width), o * width);
    if (bias !== undefined) bias[o] = row[width];
  });
}

/** Where each position's window takes its elements: index into the image, or −1 for padding. */
function windows(image: readonly number[], kernel: readonly number[], layer: LayerSpec) {
  const [channels, height, width] = image;
  const [kh, kw] = kernel;
  if (layer.kind !== 'conv2d') throw new Error('a convolution has windows');
  const [down, across] = layer.stride;
  const [top, left] = layer.padding;
  const outHeight = Math.floor((height + 2 * top - kh) / down) + 1;
  const outWidth = Math.floor((width + 2 * left - kw) / across) + 1;
  const at: number[][] = [];
  for (let oy = 0; oy < outHeight; oy++) {
    for (let ox = 0; ox < outWidth; ox++) {
      const row: number[] = [];
      for (let c = 0; c < channels; c++) {
        for (let ky = 0; ky < kh; ky++) {
          for (let kx = 0; kx < kw; kx++) {
            const y = oy * down + ky - top;
            const x = ox * across + kx - left;
            const inside = y >= 0 && y < height && x >= 0 && x < width;
            row.push(inside ? (c * height + y) * width + x : -1);
          }
        }
      }
      at.push(row);
    }
  }
  return { at, outHeight, outWidth };
}

export interface Forward {
  readonly logits: number[];
  readonly probabilities: number[];
  /** Gradients for a loss −log p(label) of this example alone. */
  backward(label: number): LayerRows[];
  /** Gradients for a loss with this gradient by the logits. */
  backwardFrom(dy: readonly number[]): LayerRows[];
}

/** Derivatives of the outputs along a matrix a layer, from a backward pass for each output. */
export function alongOf({
  logits,
  backwardFrom,
}: Forward): (direction: readonly Rows[]) => number[] {
  const jacobian = logits.map((_, out) =>
    backwardFrom(logits.map((_, c) => (c === out ? 1 : 0))).flatMap(({ inputs, grads }) =>
      multiply(transpose(grads), inputs).flat(),
    ),
  );
  return (direction) => {
    const flat = direction.flat(2);
    return jacobian.map((row) => row.reduce((sum, j, i) => sum + j * flat[i], 0));
  };
}

export function forward(net: readonly LayerSpec[], params: Tensors64, image: Cell): Forward {
  let x = image;
  const back: ((dy: number[], rows: LayerRows[]) => number[])[] = [];
  for (const layer of net) {
    const input = x;
    if (layer.kind === 'flatten') {
      x = { shape: [input.data.length], data: input.data };
      back.push((dy) => dy);
    } else if (layer.kind === 'tanh') {
      const y = input.data.map(Math.tanh);
      x = { shape: input.shape, data: y };
      back.push((dy) => dy.map((d, i) => d * (1 - y[i] ** 2)));
    } else {
      const { name } = layer;
      const weights = matrixOf(params, name);
      const ones = params[`${name}.bias`] === undefined ? [] : [1];
      const { shape } = params[`${name}.weight`];
      const { at, outHeight, outWidth } =
        layer.kind === 'conv2d'
          ? windows(input.shape, shape.slice(2), layer)
          : { at: [input.data.map((_, i) => i)], outHeight: 1, outWidth: 1 };
      const inputs = at.map((row) => [...row.map((i) => (i < 0 ? 0 : input.data[i])), ...ones]);
      const outputs = transpose(multiply(inputs, transpose(weights)));
      x = {
        shape: layer.kind === 'conv2d' ? [shape[0], outHeight, outWidth] : [shape[0]],
        data: outputs.flat(),
      };
      back.push((dy, rows) => {
        const grads = at.map((_, t) => weights.map((_, o) => dy[o * at.length + t]));
        rows.unshift({ name, inputs, grads });
        const dx = input.data.map(() => 0);
        multiply(grads, weights).forEach((row, t) => {
          at[t].forEach((i, k) => {
            if (i >= 0) dx[i] += row[k];
          });
        });
        return dx;
      });
    }
  }
  const logits = x.data;
  const top = Math.max(...logits);
  const sum = logits.reduce((s, v) => s + Math.exp(v - top), 0);
  const probabilities = logits.map((v) => Math.exp(v - top) / sum);
  const backwardFrom = (top: readonly number[]): LayerRows[] => {
    const rows: LayerRows[] = [];
    let dy = [...top];
    for (const step of [...back].reverse()) dy = step(dy, rows);
    return rows;
  };
  return {
    logits,
    probabilities,
    backward: (label) => backwardFrom(probabilities.map((p, c) => p - (c === label ? 1 : 0))),
    backwardFrom,
  };
}
