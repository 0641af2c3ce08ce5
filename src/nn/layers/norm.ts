import { checkBoolean, checkNames } from '../../arguments.ts';
import { FlatminError } from '../../errors.ts';
import { type Shape, sizeOf } from '../../graph/types.ts';
import { batchNorm as batchNormOp, normaliseBy, trackStatistics } from '../../ops/batch_norm.ts';
import * as ops from '../../ops/index.ts';
import { ones, zeros } from '../init.ts';
import type { Layer } from '../layer.ts';
import { expectCount, expectNumber, named } from './checks.ts';

/** Options of batch normalisation over channels. An unknown option is `FLATMIN_ARGUMENT`. */
export interface BatchNormOptions {
  /** ε beside the variance. Default 1e-5. */
  eps?: number;
  /** Weight of a batch in the running statistics. Default 0.1. */
  momentum?: number;
}

/**
 * Batch normalisation (Ioffe & Szegedy 2015) of [n, channels, …], as PyTorch's BatchNorm1d and BatchNorm2d:
 * y = (x − mean)/√(variance + ε) · weight + bias for each channel, with the batch's mean and biased variance while
 * training and the running ones in evaluation. After each step
 * running ← (1 − momentum) · running + momentum · batch, the variance unbiased.
 *
 * Trained: `weight` (1 at first) and `bias` (0). Not trained, but part of checkpoints and saved weights:
 * `running_mean` (0) and `running_var` (1). Skipped steps and SAM's second pass leave them alone; with `accumulate`
 * every micro-batch is normalised by itself and moves them. A batch of one value a channel leaves `running_var` alone.
 */
export function batchNorm(options: BatchNormOptions = {}): Layer {
  checkNames<BatchNormOptions>('batchNorm', options, { eps: true, momentum: true });
  const { eps = 1e-5, momentum = 0.1 } = options;
  expectNumber('batchNorm', 'eps', eps, 'above 0', eps > 0);
  expectNumber('batchNorm', 'momentum', momentum, 'from 0 to 1', momentum >= 0 && momentum <= 1);
  return named('batchNorm()', (x, scope) => {
    const channels = x.shape[1] ?? 1;
    const affine = {
      weight: scope.param('weight', [channels], ones),
      bias: scope.param('bias', [channels], zeros),
    };
    const running = {
      mean: scope.buffer('running_mean', [channels], zeros),
      variance: scope.buffer('running_var', [channels], ones),
    };
    if (!scope.training) return normaliseBy(x, affine, running, eps);
    const { y, ...batch } = batchNormOp(x, affine, eps);
    const count = x.shape[0] * sizeOf(x.shape.slice(2));
    scope.afterStep((status) => trackStatistics(status, running, batch, { momentum, count }));
    return y;
  });
}

/** Options of layer normalisation. An unknown option is `FLATMIN_ARGUMENT`. */
export interface LayerNormOptions {
  /** ε beside the variance. Default 1e-5. */
  eps?: number;
  /** Default true. */
  bias?: boolean;
  /** How many of the last dimensions are normalised together. Default 1. */
  dims?: number;
}

/**
 * Layer normalisation (Ba et al. 2016) over the last dimensions, as PyTorch's LayerNorm:
 * (x − mean)/√(variance + ε) · weight + bias, `weight` (1 at first) and `bias` (0) shaped as these dimensions.
 */
export function layerNorm(options: LayerNormOptions = {}): Layer {
  checkNames<LayerNormOptions>('layerNorm', options, { eps: true, bias: true, dims: true });
  const { eps = 1e-5, dims = 1 } = options;
  const bias = checkBoolean('bias of layerNorm', options.bias ?? true);
  expectNumber('layerNorm', 'eps', eps, 'above 0', eps > 0);
  expectCount('layerNorm', 'dims', dims);
  return named('layerNorm()', (x, scope) => {
    const shape = lastDims('layerNorm', x.shape, dims);
    const weight = scope.param('weight', shape, ones);
    return ops.layerNorm(x, weight, bias ? scope.param('bias', shape, zeros) : undefined, eps);
  });
}

function lastDims(layer: string, shape: Shape, dims: number): Shape {
  if (shape.length > dims) return shape.slice(-dims);
  throw new FlatminError(
    'FLATMIN_SHAPE',
    `${layer} expects rows before the ${dims} dimensions that it normalises, got [${shape.join(', ')}]`,
  );
}

/** Options of normalisation by the root of the mean square. An unknown option is `FLATMIN_ARGUMENT`. */
export interface RmsNormOptions extends Omit<LayerNormOptions, 'bias'> {
  /** ε beside the mean square. Default 2⁻²³. */
  eps?: number;
}

/** x/√(mean of x² + ε) · weight over the last dimensions (Zhang & Sennrich 2019), as PyTorch's RMSNorm; `weight` is 1 at first. */
export function rmsNorm(options: RmsNormOptions = {}): Layer {
  checkNames<RmsNormOptions>('rmsNorm', options, { eps: true, dims: true });
  const { eps = 2 ** -23, dims = 1 } = options;
  expectNumber('rmsNorm', 'eps', eps, 'above 0', eps > 0);
  expectCount('rmsNorm', 'dims', dims);
  return named('rmsNorm()', (x, scope) =>
    ops.rmsNorm(x, scope.param('weight', lastDims('rmsNorm', x.shape, dims), ones), eps),
  );
}
