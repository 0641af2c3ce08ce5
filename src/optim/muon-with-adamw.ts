import { checkNames, checkObject, wrongArgument } from '../arguments.ts';
import { sameShape } from '../graph/types.ts';
import type { Params } from '../step/arrays.ts';
import type { BindOptions, BoundOptimizer, Optimizer } from '../step/bound.ts';
import { type AdamwOptions, adamw } from './adamw.ts';
import { type Described, type Group, groups, type Match } from './groups.ts';
import { type MuonOptions, muon } from './muon.ts';
import { variantsOf } from './variants.ts';

/**
 * Options of Muon for the matrices inside a network, and of AdamW for all other parameters. An unknown option or a value
 * out of range is `FLATMIN_ARGUMENT`.
 */
export interface MuonWithAdamWOptions {
  /** Options of `muon`, for the matrices. */
  readonly muon: MuonOptions;
  /** Options of `adamw`, for the rest. */
  readonly adamw: AdamwOptions;
  /** What Muon gets. Default `hiddenMatrix`. */
  readonly match?: Match;
}

/**
 * The matrices inside a network: tensors of two dimensions or more that are neither embeddings nor the head.
 *
 * - Embeddings are known by their names: `embed` within it, or a part such as `wte`, `wpe`, `tok_emb`, `pos`, `cls_token`.
 * - The head is the last matrix with a part of its name such as `lm_head`, `head`, `classifier`, or else the last of all.
 *   A matrix of one of several equal blocks, as `h.11.mlp.c_proj.weight` beside `h.10.mlp.c_proj.weight`, is none, nor is
 *   one of a numbered block that leads back to the width of the embeddings: GPT-2, whose head is `wte`, has no other.
 *
 * `Object.entries(params).map(([name, { shape }]) => ({ name, shape })).filter(hiddenMatrix)` tells what it takes.
 */
export function hiddenMatrix(
  parameter: Described,
  index: number,
  all: readonly Described[],
): boolean {
  if (
    !Array.isArray(all) ||
    ![parameter, ...all].every((p) => typeof p?.name === 'string' && Array.isArray(p.shape))
  ) {
    throw wrongArgument(
      'What hiddenMatrix takes',
      'a { name, shape }, its index and the list of all',
      [parameter, index, all],
      'call it as all.filter(hiddenMatrix).',
    );
  }
  return isInner(parameter) && index !== headOf(all);
}

const EMBEDDING =
  /embed|emb([._/]|$)|(^|[._/])(wte|wpe|tok|pos|vocab|(cls|class|mask)_token)([._/]|$)/i;
const HEAD = /(^|[._/])(lm_?head|heads?|classifier|logits|score)([._/]|$)/i;

const isMatrix = ({ shape }: Described): boolean => shape.length >= 2;
const isEmbedding = (p: Described): boolean => isMatrix(p) && EMBEDDING.test(p.name);
const isInner = (p: Described): boolean => isMatrix(p) && !isEmbedding(p);

/** Its index; −1 where there is none. */
function headOf(all: readonly Described[]): number {
  const mayBe = (p: Described) => isInner(p) && !inBlocks(p, all);
  const named = all.findLastIndex((p) => HEAD.test(p.name) && mayBe(p));
  if (named !== -1) return named;
  const last = all.findLastIndex(isInner);
  return last !== -1 && mayBe(all[last]) ? last : -1;
}

/** It stands in a numbered block that has its equals, or that leads back to the width of the embeddings. */
function inBlocks({ name, shape }: Described, all: readonly Described[]): boolean {
  const parts = name.split(/[./]/);
  return parts.some((part, i) => {
    const named = parts.slice(i + 1, -1).some((inner) => !/^\d+$/.test(inner));
    if (!/\d$/.test(part) || !named) return false;
    const pattern = (at: readonly string[]) =>
      at.map((p, k) => (k === i ? p.replace(/\d+$/, '#') : p)).join('.');
    return all.some((other) =>
      isEmbedding(other)
        ? other.shape[other.shape.length - 1] === shape[0]
        : other.name !== name &&
          sameShape(other.shape, shape) &&
          pattern(other.name.split(/[./]/)) === pattern(parts),
    );
  });
}

/**
 * The usual split: Muon for the matrices inside a network (`hiddenMatrix` says which), AdamW for embeddings, the head, norms
 * and biases. Both need a rate of their own.
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
  checkObject('The options of muonWithAdamW', second);
  const { device, threads, seed, onNonFinite, ...options } = second;
  const bind = { device, threads, seed, onNonFinite };
  return groups(first as Params, split(options), bind);
}

function split(options: MuonWithAdamWOptions): readonly Group[] {
  checkNames<MuonWithAdamWOptions>('muonWithAdamW', options, {
    muon: true,
    adamw: true,
    match: true,
  });
  const { muon: hidden, adamw: others, match = hiddenMatrix } = options;
  return [{ match, optimizer: muon(hidden) }, { optimizer: adamw(others) }];
}

muonWithAdamW.title = 'Muon with AdamW';
muonWithAdamW.equation = 'Muon for the matrices inside a network, AdamW for the rest';
// By the scale with which one rate and one decay serve both.
muonWithAdamW.variants = variantsOf(
  { muon: { lr: 2e-3, weightDecay: 0.01, scale: 'match-rms-adamw' } },
  [adamw, muon],
  (others, hidden) =>
    muonWithAdamW({
      muon: hidden as object as MuonOptions,
      adamw: others as object as AdamwOptions,
    }),
);
