import { describe, expect, it } from 'vitest';
import { gpt } from '../../src/nn/gpt.ts';
import { describeModel, type Layer, type ParameterSpec } from '../../src/nn/layer.ts';
import { batchNorm, conv2d, globalAvgPool2d, linear, residual } from '../../src/nn/layers/index.ts';
import { lstmTagger, mlp, resnet18 } from '../../src/nn/models.ts';
import { sequential } from '../../src/nn/sequential.ts';

const f32 = (...shape: number[]) => ({ dtype: 'f32' as const, shape });
const list = (params: readonly ParameterSpec[]) =>
  params.map(({ name, shape }) => `${name} ${shape.join('×')}`);
const count = (params: readonly ParameterSpec[]) =>
  params.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);

describe('resnet18', () => {
  it('has its 11,173,962 parameters for 10 classes', () => {
    const { params, output } = describeModel(resnet18(), f32(3, 3, 32, 32));
    expect(count(params)).toBe(11_173_962);
    expect(output).toEqual(f32(3, 10));
  });

  it('is named as torchvision’s, of any width and for images of any size', () => {
    const model = resnet18({ width: 4, classes: 7 });
    const { params, buffers, output } = describeModel(model, f32(2, 1, 17, 40));
    expect(output).toEqual(f32(2, 7));
    const bn = (name: string, channels: number) => [
      `${name}.weight ${channels}`,
      `${name}.bias ${channels}`,
    ];
    const block = (name: string, from: number, to: number) => [
      ...(from === to
        ? []
        : [`${name}.downsample.0.weight ${to}×${from}×1×1`, ...bn(`${name}.downsample.1`, to)]),
      `${name}.conv1.weight ${to}×${from}×3×3`,
      ...bn(`${name}.bn1`, to),
      `${name}.conv2.weight ${to}×${to}×3×3`,
      ...bn(`${name}.bn2`, to),
    ];
    const stages = [4, 4, 8, 16, 32];
    expect(list(params)).toEqual([
      'conv1.weight 4×1×3×3',
      ...bn('bn1', 4),
      ...stages
        .slice(1)
        .flatMap((to, i) => [
          ...block(`layer${i + 1}.0`, stages[i], to),
          ...block(`layer${i + 1}.1`, to, to),
        ]),
      'fc.weight 7×32',
      'fc.bias 7',
    ]);
    expect(list(buffers).slice(0, 2)).toEqual(['bn1.running_mean 4', 'bn1.running_var 4']);
    expect(buffers).toHaveLength(40);
  });
});

describe('mlp', () => {
  it('has hidden layers as it is told', () => {
    const names = (model: Layer) => list(describeModel(model, f32(5, 3)).params);
    expect(names(mlp({ out: 2 }))).toEqual([
      'fc1.weight 64×3',
      'fc1.bias 64',
      'fc2.weight 2×64',
      'fc2.bias 2',
    ]);
    const deep = { out: 1, hidden: [8, 4], activation: 'tanh', dropout: 0.5 } as const;
    expect(names(mlp(deep))).toEqual([
      'fc1.weight 8×3',
      'fc1.bias 8',
      'fc2.weight 4×8',
      'fc2.bias 4',
      'fc3.weight 1×4',
      'fc3.bias 1',
    ]);
    expect(names(mlp({ out: 2, hidden: [] }))).toEqual(['fc1.weight 2×3', 'fc1.bias 2']);
  });
});

describe('lstmTagger', () => {
  it('tags every token', () => {
    const tokens = { dtype: 'i32', shape: [4, 9] } as const;
    const { params, output } = describeModel(lstmTagger({ vocabulary: 11, tags: 5 }), tokens);
    expect(output).toEqual(f32(4, 9, 5));
    expect(list(params)).toEqual([
      'embedding.embedding 11×100',
      'lstm.weight_ih_l0 512×100',
      'lstm.weight_hh_l0 512×128',
      'lstm.bias_l0 512',
      'fc.weight 5×128',
      'fc.bias 5',
    ]);
    const deep = { layers: 2, bidirectional: true, projection: 3, hidden: 6 } as const;
    const { output: same } = describeModel(
      lstmTagger({ vocabulary: 11, tags: 5, ...deep }),
      tokens,
    );
    expect(same).toEqual(output);
  });
});

it.each([
  [() => resnet18(10 as never), 'The options of resnet18 must be an object, got 10'],
  [() => resnet18({ width: 0 }), 'width of resnet18 must be a whole number of at least 1, got 0'],
  [() => mlp({} as never), 'out of mlp must be a whole number of at least 1, got undefined'],
  [() => mlp({ out: 1, hidden: [2, 0] }), 'hidden of mlp must be a whole number of at least 1'],
  [
    () => mlp({ out: 1, activation: 'gelu' as never }),
    "activation of mlp must be one of relu, tanh, sigmoid, got 'gelu'",
  ],
  [
    () => lstmTagger({ vocabulary: 3, tags: 2, layer: 2 } as never),
    'lstmTagger: Unknown option "layer"; did you mean "layers"?',
  ],
  [() => residual('x' as never), "The body of residual must be a layer, got 'x'"],
  [() => residual(linear(2), 3 as never), 'The shortcut of residual must be a layer, got 3'],
  [
    () => describeModel(residual(conv2d(4, 1)), f32(1, 3, 2, 2)),
    'residual adds a body of [1, 4, 2, 2] to [1, 3, 2, 2]. Help: give it a shortcut',
  ],
  [
    () => describeModel(sequential(globalAvgPool2d()), f32(1, 3)),
    'globalAvgPool2d expects images [n, channels, height, width] of at least one pixel, got [1, 3]',
  ],
  [
    () => describeModel(residual(sequential(batchNorm()), linear(3)), f32(2, 5)),
    'residual adds a body of [2, 5] to [2, 3]',
  ],
])('refuses %s', (make, message) => {
  expect(make).toThrow(message);
});

describe('gpt', () => {
  const tokens = (...shape: number[]) => ({ dtype: 'i32' as const, shape });

  it('has GPT-2’s 124,439,808 parameters', () => {
    const { params, output } = describeModel(gpt(), tokens(1, 3));
    expect(count(params)).toBe(124_439_808);
    expect(output).toEqual(f32(1, 3, 50_257));
  });

  it('is named as GPT-2’s, without biases and with rotary positions too', () => {
    const options = { vocabulary: 7, context: 5, layers: 1, heads: 2, width: 4 };
    const { params } = describeModel(gpt(options), tokens(2, 5));
    expect(list(params)).toEqual([
      'wte.weight 7×4',
      'wpe.weight 5×4',
      'h.0.ln_1.weight 4',
      'h.0.ln_1.bias 4',
      'h.0.attn.c_attn.weight 12×4',
      'h.0.attn.c_attn.bias 12',
      'h.0.attn.c_proj.weight 4×4',
      'h.0.attn.c_proj.bias 4',
      'h.0.ln_2.weight 4',
      'h.0.ln_2.bias 4',
      'h.0.mlp.c_fc.weight 16×4',
      'h.0.mlp.c_fc.bias 16',
      'h.0.mlp.c_proj.weight 4×16',
      'h.0.mlp.c_proj.bias 4',
      'ln_f.weight 4',
      'ln_f.bias 4',
    ]);
    const plain = gpt({ ...options, bias: false, positions: 'rotary' });
    expect(list(describeModel(plain, tokens(2, 5)).params)).toEqual(
      list(params).filter((param) => !param.includes('bias') && !param.includes('wpe')),
    );
  });

  it('refuses rows longer than its context', () => {
    expect(() => describeModel(gpt({ context: 5 }), tokens(2, 6))).toThrow(
      'gpt expects tokens [batch, steps] of at most 5 steps, got [2, 6]',
    );
  });
});
