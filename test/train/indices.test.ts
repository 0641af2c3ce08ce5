/** Labels and tokens that a model has no row for, and losses that are not finite. */
import { describe, expect, it } from 'vitest';
import {
  adam,
  crossEntropy,
  type Dataset,
  embedding,
  FlatminError,
  fit,
  type Loss,
  linear,
  type NonFinitePolicy,
  ops,
  sam,
  sequential,
  sgd,
  tokenCrossEntropy,
  trainStep,
} from '../../src/index.ts';
import { present } from '../optim/devices.ts';
import { bytesOf } from '../optim/tensors.ts';

const ROWS = 6;

const points = (labels: readonly number[], classes = 10): Dataset => ({
  name: 'points',
  synthetic: true,
  inputs: { data: Float32Array.from({ length: 2 * ROWS }, (_, i) => Math.sin(i)), shape: [2] },
  labels: Int32Array.from(labels),
  count: ROWS,
  classes,
});

const sentences = (tokens: readonly number[]): Dataset => ({
  name: 'sentences',
  synthetic: true,
  inputs: { data: Int32Array.from(tokens), shape: [2] },
  labels: new Int32Array(2 * ROWS),
  labelShape: [2],
  count: ROWS,
  classes: 2,
});

const GOOD = [0, 1, 2, 3, 0, 1];
const TOKENS = [0, 1, 2, -1, 4, -1, 0, 0, 3, 3, 1, -1];

describe.each(present)('on %s', (device) => {
  const optimizer = () => sgd({ lr: 0.1 });
  const classes = (train: Dataset, test?: Dataset) =>
    fit(
      sequential(linear(3), linear(4)),
      { train, test },
      {
        ...{ optimizer: optimizer(), epochs: 1, batch: 4, device },
      },
    );
  const tagger = () => sequential({ words: embedding(5, 3), head: linear(2) });
  const tags = (train: Dataset) =>
    fit(
      tagger(),
      { train },
      {
        ...{ optimizer: optimizer(), epochs: 1, batch: 4, device, loss: tokenCrossEntropy() },
      },
    );

  it('fit refuses labels that the model has no output for', async () => {
    const bad = GOOD.with(5, 9);
    await expect(classes(points(bad))).rejects.toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: train data: label 9 of example 5 is outside 0 … 3, the 4 outputs of the model]`,
    );
    await expect(classes(points(GOOD), points(bad))).rejects.toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: test data: label 9 of example 5 is outside 0 … 3, the 4 outputs of the model]`,
    );
    await expect(classes(points(GOOD.with(0, 4)))).rejects.toMatchObject({ code: 'FLATMIN_DATA' });
    const bytes = { ...points(GOOD), labels: Uint8Array.from(bad) };
    await expect(classes(bytes)).rejects.toMatchObject({ code: 'FLATMIN_DATA' });
    const { history } = await classes(points(GOOD), points(GOOD));
    expect(history[0].trainLoss).toBeGreaterThan(0);
  });

  it('fit refuses tokens outside the vocabulary', async () => {
    await expect(tags(sentences(TOKENS.with(9, 5)))).rejects.toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: train data: token 5 of example 4, number 1 there, is outside 0 … 4, the 5 rows of the embedding in layer "words: embedding(5, 3)", or −1 for padding]`,
    );
    await expect(tags(sentences(TOKENS.with(0, -2)))).rejects.toMatchObject({
      code: 'FLATMIN_DATA',
    });
    await tags(sentences(TOKENS));
  });

  it('trainStep and predict refuse them at each call', async () => {
    const step = trainStep(tagger(), {
      ...{ input: [2], inputType: 'i32', batch: ROWS, device, optimizer: optimizer() },
      loss: tokenCrossEntropy(),
    });
    const [tokens, labels] = [Int32Array.from(TOKENS), new Int32Array(2 * ROWS)];
    const before = step.stateDict();
    const bad = tokens.with(3, 7);
    expect(() => step(bad, labels)).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: The inputs of a step: token 7 of example 1, number 1 there, is outside 0 … 4, the 5 rows of the embedding in layer "words: embedding(5, 3)", or −1 for padding]`,
    );
    await expect(step.async(bad, labels)).rejects.toMatchObject({ code: 'FLATMIN_ARGUMENT' });
    expect(() => step(tokens, labels.with(11, 2))).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: The labels of a step: label 2 of example 5, number 1 there, is outside 0 … 1, the 2 outputs of the model, or −1 for padding]`,
    );
    expect(() => step(tokens, labels.with(11, -2))).toThrow(FlatminError);
    expect(() => step.model.predict(bad)).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: The inputs of predict: token 7 of example 1, number 1 there, is outside 0 … 4, the 5 rows of the embedding in layer "words: embedding(5, 3)", or −1 for padding]`,
    );
    await expect(step.model.predictAsync(bad)).rejects.toMatchObject({ code: 'FLATMIN_ARGUMENT' });
    expect(step.stateDict()).toEqual(before);
    step(tokens, labels.with(3, -1));
    expect(step.model.predict(tokens).data.every(Number.isFinite)).toBe(true);
  });

  /** Cross-entropy and a constant: 1e30 · `bad`. */
  const blowing = (bad: number): Loss => ({
    ...crossEntropy(),
    trace: (output, labels) => {
      const loss = crossEntropy().trace(output, labels);
      // A constant, of which no gradient is taken.
      const constant = ops.affine(ops.sum(ops.fill(output.graph, [1], 1e30)), bad);
      return ops.add(loss, constant);
    },
  });

  it.each(['throw', 'skip', 'allow'] as NonFinitePolicy[])(
    'a loss that is not finite, its gradient finite, meets the policy %s',
    (onNonFinite) => {
      const make = (wrap = optimizer()) =>
        trainStep(linear(4), {
          ...{ input: [2], batch: ROWS, device, onNonFinite, loss: blowing(1e30), optimizer: wrap },
        });
      const { inputs, labels } = points(GOOD);
      for (const wrap of [optimizer(), adam({ lr: 0.1 }), sam(sgd({ lr: 0.1 }))]) {
        const step = make(wrap);
        const before = bytesOf(step.model.parameters());
        const take = () => step(inputs.data as Float32Array, labels as Int32Array);
        if (onNonFinite === 'throw') {
          expect(take).toThrow(
            expect.objectContaining({
              code: 'FLATMIN_NUMERICS',
              message: expect.stringMatching(/^The loss is not finite at step 1\. /),
            }),
          );
        } else expect(take()).toBe(Infinity);
        if (onNonFinite === 'allow') expect(bytesOf(step.model.parameters())).not.toBe(before);
        else expect(bytesOf(step.model.parameters())).toBe(before);
        expect(step.stateDict().status.data[4]).toBe(onNonFinite === 'skip' ? 1 : 0);
      }
    },
  );

  it.each([1, 2])('a closure whose loss number %i is not finite meets the policy', async (at) => {
    for (const onNonFinite of ['throw', 'skip', 'allow'] as const) {
      const params = { w: { data: Float32Array.of(1, 2), shape: [2] } };
      const optimizer = sam(params, adam({ lr: 0.1 }), { device, onNonFinite });
      const before = bytesOf(params);
      let calls = 0;
      const stepped = optimizer.step(() => {
        return { loss: ++calls === at ? NaN : 1, grads: { w: Float32Array.of(1, 1) } };
      });
      if (onNonFinite === 'throw') {
        await expect(stepped).rejects.toThrowErrorMatchingInlineSnapshot(
          `[FlatminError: The loss is not finite at step 1. Parameters are as before that step. Help: look for numbers that are not finite in the batch, labels outside the model's outputs and logarithms of 0, lower the learning rate, or set onNonFinite to "skip".]`,
        );
      } else await stepped;
      if (onNonFinite === 'allow') expect(bytesOf(params)).not.toBe(before);
      else expect(bytesOf(params)).toBe(before);
      const { status, step } = optimizer.stateDict();
      expect([status.data[4], step.data[0]]).toEqual(
        { throw: [0, 0], skip: [1, 1], allow: [0, 1] }[onNonFinite],
      );
      // The step after is a first one.
      const { w } = params;
      w.data.fill(0);
      await optimizer.step(() => ({ loss: 1, grads: { w: Float32Array.of(1, 1) } }));
      if (onNonFinite !== 'allow') expect(w.data[0]).toBeCloseTo(-0.1, 6);
    }
  });

  it('a closure without a loss is refused', async () => {
    const params = { w: { data: Float32Array.of(1, 2), shape: [2] } };
    const bound = sgd(params, { lr: 1, device });
    const given = () => ({ grads: { w: new Float32Array(2) } }) as never;
    await expect(bound.step(given)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: The loss of a closure must be a number, got undefined]`,
    );
  });
});
