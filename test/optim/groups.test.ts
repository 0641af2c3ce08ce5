/** Several optimizers as one: which parameter goes where, what they share, and what is refused. */
import { describe, expect, it } from 'vitest';
import {
  adamw,
  conv2d,
  type FlatminError,
  fit,
  flatten,
  type Group,
  groups,
  hiddenMatrix,
  kfac,
  linear,
  lion,
  muon,
  muonWithAdamW,
  relu,
  sam,
  sequential,
  sgd,
  shampoo,
  syntheticDigits,
} from '../../src/index.ts';
import { devices } from './devices.ts';
import { bytesOf, copyParams, randomGrads, randomParams } from './tensors.ts';

const SHAPES = { 'conv.weight': [4, 2, 3, 3], 'conv.bias': [4], 'out.weight': [3, 4] };

const only = <T>(record: Readonly<Record<string, T>>, names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, record[name]]));

describe.each(devices)('groups on $title', ({ device, missing }) => {
  const here = it.skipIf(missing !== null);

  here('step each of their parameters as they would alone', () => {
    const params = randomParams(SHAPES);
    const alone = copyParams(params);
    const optimizer = groups(
      params,
      [
        { match: /bias$/, optimizer: adamw({ lr: 0.1 }) },
        {
          match: ({ shape }) => shape.length > 2,
          optimizer: shampoo({ lr: 0.01, epsilon: 0.1, beta: 0.9 }),
        },
        { optimizer: shampoo({ lr: 0.02, epsilon: 0.1, beta: 0.9 }) },
      ],
      { device },
    );
    const bias = only(alone, ['conv.bias']);
    const kernel = only(alone, ['conv.weight']);
    const head = only(alone, ['out.weight']);
    const apart = [
      adamw(bias, { lr: 0.1, device }),
      shampoo(kernel, { lr: 0.01, epsilon: 0.1, beta: 0.9, device }),
      shampoo(head, { lr: 0.02, epsilon: 0.1, beta: 0.9, device }),
    ];
    for (let t = 1; t < 8; t++) {
      const grads = randomGrads(t, SHAPES);
      optimizer.step(grads);
      [bias, kernel, head].forEach((part, i) => {
        apart[i].step(only(grads, Object.keys(part)));
      });
    }
    expect(bytesOf(params)).toBe(bytesOf(alone));
  });

  here('stand still together when one gradient is not finite, and name it', () => {
    const params = randomParams(SHAPES);
    const before = bytesOf(params);
    const list: Group[] = [
      { match: /conv/, optimizer: sgd({ lr: 1 }) },
      { optimizer: lion({ lr: 1 }) },
    ];
    const grads = randomGrads(1, SHAPES);
    grads['out.weight'][2] = NaN;
    expect(() => groups(params, list, { device }).step(grads)).toThrow(
      /^The gradient of "out\.weight" is not finite at step 1\. /,
    );
    groups(params, list, { device, onNonFinite: 'skip' }).step(grads);
    expect(bytesOf(params)).toBe(before);
  });

  here('name the tensor whose root fails', () => {
    const params = randomParams(SHAPES);
    const optimizer = groups(
      params,
      [{ match: /bias/, optimizer: sgd({ lr: 1 }) }, { optimizer: shampoo({ lr: 1 }) }],
      // A gradient of this size is refused before its statistics are.
      { device, onNonFinite: 'allow' },
    );
    const grads = randomGrads(1, SHAPES);
    grads['out.weight'][0] = 1e20;
    expect(() => optimizer.step(grads)).toThrow(/^A matrix statistic of "out\.weight" /);
  });

  here('are a base for SAM', async () => {
    const params = randomParams(SHAPES);
    const other = copyParams(params);
    const parted = sam(
      params,
      groups([{ match: /conv/, optimizer: sgd({ lr: 0.1 }) }, { optimizer: sgd({ lr: 0.1 }) }]),
      { device },
    );
    const whole = sam(other, sgd({ lr: 0.1 }), { device });
    for (let t = 1; t < 3; t++) {
      await parted.step(() => ({ loss: 0, grads: randomGrads(t, SHAPES) }));
      await whole.step(() => ({ loss: 0, grads: randomGrads(t, SHAPES) }));
    }
    expect(bytesOf(params)).toBe(bytesOf(other));
  });

  here('split a model between Muon and AdamW', () => {
    const params = randomParams(SHAPES);
    const alone = copyParams(params);
    const options = { muon: { lr: 0.05 }, adamw: { lr: 0.01 } };
    const optimizer = muonWithAdamW(params, { ...options, device });
    const inside = only(alone, ['conv.weight']);
    const rest = only(alone, ['conv.bias', 'out.weight']);
    const apart = [muon(inside, { lr: 0.05, device }), adamw(rest, { lr: 0.01, device })];
    for (let t = 1; t < 4; t++) {
      const grads = randomGrads(t, SHAPES);
      optimizer.step(grads);
      apart[0].step(only(grads, Object.keys(inside)));
      apart[1].step(only(grads, Object.keys(rest)));
    }
    expect(bytesOf(params)).toBe(bytesOf(alone));
  });

  here('train a model, K-FAC among them', async () => {
    const model = sequential({
      conv: conv2d(4, 5, { stride: 3 }),
      relu: relu(),
      flatten: flatten(),
      hidden: linear(16),
      active: relu(),
      out: linear(10),
    });
    const train = syntheticDigits({ split: 'train', size: 20, seed: 0, count: 128 });
    for (const optimizer of [
      muonWithAdamW({ muon: { lr: 0.05 }, adamw: { lr: 0.01 } }),
      groups([{ match: /^hidden/, optimizer: kfac({ lr: 0.1 }) }, { optimizer: sgd({ lr: 0.2 }) }]),
    ]) {
      const { history } = await fit(model, { train }, { optimizer, epochs: 6, batch: 32, device });
      expect(history[5].trainLoss).toBeLessThan(0.9 * history[0].trainLoss);
    }
  });
});

describe('hiddenMatrix', () => {
  it('leaves out vectors, the head and embeddings', () => {
    const all = [
      { name: 'tokenEmbedding.weight', shape: [100, 8] },
      { name: 'conv.weight', shape: [8, 3, 3, 3] },
      { name: 'conv.bias', shape: [8] },
      { name: 'fc.weight', shape: [16, 8] },
      { name: 'out.weight', shape: [10, 16] },
      { name: 'out.bias', shape: [10] },
    ];
    const chosen = all.filter(hiddenMatrix).map(({ name }) => name);
    expect(chosen).toEqual(['conv.weight', 'fc.weight']);
  });

  /** Those that AdamW gets. */
  const others = (shapes: Readonly<Record<string, readonly number[]>>) => {
    const all = Object.entries(shapes).map(([name, shape]) => ({ name, shape }));
    const hidden = new Set(all.filter(hiddenMatrix));
    return all.filter((p) => p.shape.length > 1 && !hidden.has(p)).map(({ name }) => name);
  };
  const blocks = (count: number, prefix = 'h.') =>
    Object.fromEntries(
      Array.from({ length: count }, (_, i) => [
        [`${prefix}${i}.ln_1.weight`, [8]],
        [`${prefix}${i}.attn.c_attn.weight`, [24, 8]],
        [`${prefix}${i}.attn.c_proj.weight`, [8, 8]],
        [`${prefix}${i}.mlp.c_fc.weight`, [32, 8]],
        [`${prefix}${i}.mlp.c_proj.weight`, [8, 32]],
      ]).flat(),
    );
  const tables = { 'wte.weight': [100, 8], 'wpe.weight': [16, 8] };

  it.each([1, 2, 12])("takes all of GPT-2's matrices but wte and wpe, %i blocks", (count) => {
    expect(others({ ...tables, ...blocks(count), 'ln_f.weight': [8] })).toEqual([
      'wte.weight',
      'wpe.weight',
    ]);
    const head = { 'lm_head.weight': [100, 8] };
    expect(others({ ...tables, ...blocks(count), ...head })).toEqual([
      'wte.weight',
      'wpe.weight',
      'lm_head.weight',
    ]);
    expect(others({ ...head, ...tables, ...blocks(count, 'transformer.h.') })).toHaveLength(3);
  });

  it('knows heads by name or by place, and embeddings by name', () => {
    const mlp = { '0.weight': [10, 10], '2.weight': [10, 10], '4.weight': [10, 10] };
    expect(others(mlp)).toEqual(['4.weight']);
    expect(others({ 'layers.0.weight': [10, 10], 'layers.2.weight': [10, 10] })).toEqual([
      'layers.2.weight',
    ]);
    const alexNet = { 'features.0.weight': [8, 3, 3, 3], 'features.3.weight': [8, 8, 3, 3] };
    const classifier = { 'classifier.1.weight': [32, 8], 'classifier.4.weight': [10, 32] };
    expect(others({ ...alexNet, ...classifier })).toEqual(['classifier.4.weight']);
    expect(
      others({ '0.conv.weight': [8, 3, 3, 3], '1.fc1.weight': [9, 8], '1.fc2.weight': [4, 9] }),
    ).toEqual(['1.fc2.weight']);
    const resNet = { 'layer4.0.conv2.weight': [8, 8, 3, 3], 'layer4.1.conv2.weight': [8, 8, 3, 3] };
    expect(others({ ...resNet, 'fc.weight': [10, 8] })).toEqual(['fc.weight']);
    expect(others(resNet)).toEqual([]);
    const vit = {
      cls_token: [1, 1, 8],
      pos_embed: [1, 17, 8],
      'patch_embed.proj.weight': [8, 3, 4, 4],
    };
    expect(others({ ...vit, 'blocks.0.mlp.fc1.weight': [32, 8], 'head.weight': [10, 8] })).toEqual([
      ...Object.keys(vit),
      'head.weight',
    ]);
    const tagger = {
      'embed.embedding': [50, 8],
      'lstm.weight_ih_l0': [16, 8],
      'lstm.weight_hh_l0': [16, 4],
    };
    expect(others({ ...tagger, 'out.weight': [5, 4] })).toEqual(['embed.embedding', 'out.weight']);
  });
});

describe('groups refuse', () => {
  const params = randomParams(SHAPES);
  const base = sgd({ lr: 1 });
  const refusal = (body: () => unknown): string => {
    try {
      body();
    } catch (error) {
      expect(error).toMatchObject({ code: 'FLATMIN_ARGUMENT' });
      return (error as FlatminError).message;
    }
    throw new Error('nothing was thrown');
  };

  it('what is no list of groups', () => {
    const messages = [
      () => groups(undefined as never),
      () => groups([]),
      () => groups([base] as never),
      () => groups([{ match: 'bias', optimizer: base } as never]),
      () => groups([null as never]),
      () => muonWithAdamW({ muon: { lr: 1 } } as never),
      () => muonWithAdamW({ muon: {}, adamw: { lr: 1 } } as never),
      () => muonWithAdamW({ muon: { lr: 1 }, adamw: { lr: 1 }, lr: 1 } as never),
    ].map(refusal);
    expect(messages).toMatchInlineSnapshot(`
      [
        "groups expects a list of { match, optimizer }, got undefined",
        "groups expects a list of { match, optimizer }, got []",
        "Group 0 must have an optimizer, got undefined. Help: { match: /bias$/, optimizer: sgd({ lr }) }.",
        "The match of group 0 must be a RegExp or a function, got 'bias'",
        "Group 0 must be an object of entries by name, got null",
        "adamw: Invalid input: expected object, received undefined",
        "muon: lr: expected a finite number of at least 0 or a schedule, got undefined",
        "muonWithAdamW: Unknown option "lr"; there are muon, adamw, match",
      ]
    `);
  });

  it('parameters without a group, and groups without a parameter', () => {
    const on = (list: Group[]) => () => groups(params, list, { device: 'js' });
    const messages = [
      on([{ match: /conv/, optimizer: base }]),
      on([{ match: /cnov/, optimizer: base }, { optimizer: base }]),
      on([{ optimizer: base }, { optimizer: lion({ lr: 1 }) }]),
      on([{ match: /bias/, optimizer: sam(base) }, { optimizer: base }]),
      () => groups(params, [{ optimizer: base }], { onNonFinit: 'skip' } as never),
    ].map(refusal);
    expect(messages).toMatchInlineSnapshot(`
      [
        "No group matches "out.weight". Help: end the list with a group without match.",
        "Group 0 (sgd) gets no parameter; there are "conv.weight", "conv.bias", "out.weight"",
        "Group 1 (lion) gets no parameter; there are "conv.weight", "conv.bias", "out.weight"",
        "sam needs several gradients a step and cannot be one of several groups. Help: put it around them, sam(groups([…])).",
        "groups: Unknown option "onNonFinit"; did you mean "onNonFinite"?",
      ]
    `);
  });

  it('no pattern for what it matched before', () => {
    const match = /weight$/g;
    const data = () => new Float32Array(1);
    const two = {
      'a.weight': { data: data(), shape: [1] },
      'b.weight': { data: data(), shape: [1] },
    };
    expect(() => groups(two, [{ match, optimizer: base }], { device: 'js' })).not.toThrow();
  });

  it('nothing of what they tell a checkpoint', () => {
    expect(
      groups([{ match: /bias$/, optimizer: base }, { optimizer: lion({ lr: 2 }) }]).options,
    ).toMatchObject({
      groups: [
        { match: '/bias$/', name: 'sgd', lr: 1 },
        { match: 'all', name: 'lion', lr: 2 },
      ],
    });
  });
});
