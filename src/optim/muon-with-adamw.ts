import { show } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { type AdamwOptions, adamw } from './adamw.ts';
import type { Params } from './arrays.ts';
import type { BindOptions, BoundOptimizer } from './bound.ts';
import { type Described, type Group, groups, type Match } from './groups.ts';
import { type MuonOptions, muon } from './muon.ts';
import type { Optimizer } from './optimizer.ts';

export interface MuonWithAdamWOptions {
  readonly muon: MuonOptions;
  readonly adamw: AdamwOptions;
  /** What Muon gets. Default `hiddenMatrix`. */
  readonly match?: Match;
}

/**
 * The matrices inside a network: tensors of two dimensions or more, without the last of them, the head, and without
 * those called embedding.
 */
export function hiddenMatrix(
  { name, shape }: Described,
  index: number,
  all: readonly Described[],
): boolean {
  const head = all.findLastIndex((other) => other.shape.length >= 2);
  return shape.length >= 2 && index !== head && !/embed/i.test(name);
}

/**
 * The usual split: Muon for the matrices inside a network, AdamW for embeddings, the head, norms and biases. Both need
 * a rate of their own.
 *
 * `muonWithAdamW({ muon: { lr }, adamw: { lr } })` is an optimizer for `fit`, `muonWithAdamW(params, { … })` one bound to
 * the caller's arrays. `FLATMIN_ARGUMENT` where there is nothing for one of the two.
 */
export function muonWithAdamW(options: MuonWithAdamWOptions): Optimizer;
export function muonWithAdamW(
  params: Params,
  options: MuonWithAdamWOptions & BindOptions,
): BoundOptimizer;
export function muonWithAdamW(
  first: MuonWithAdamWOptions | Params,
  second?: MuonWithAdamWOptions & BindOptions,
): Optimizer | BoundOptimizer {
  if (second === undefined) return groups(split(first as MuonWithAdamWOptions));
  const { muon, adamw, match, ...bind } = second;
  return groups(first as Params, split({ muon, adamw, match }), bind);
}

function split(options: MuonWithAdamWOptions): readonly Group[] {
  const { muon: hidden, adamw: others, match = hiddenMatrix, ...unknown } = options;
  const [key] = Object.keys(unknown);
  if (key !== undefined) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `muonWithAdamW expects { muon, adamw, match }, got ${key}: ${show((unknown as never)[key])}`,
    );
  }
  return [{ match, optimizer: muon(hidden) }, { optimizer: adamw(others) }];
}
