import { groups, lion, muonWithAdamW, sgd } from '../../../src/index.ts';
import { eps, lr, type Method, plain } from '../../methods/case.ts';
import { adamwOracle } from './adamw.ts';
import { lionOracle } from './lion.ts';
import { muonOracle } from './muon.ts';
import type { Oracle } from './oracle.ts';
import { sgdOracle } from './sgd.ts';

/** Each oracle on its own tensors, the first's by their names. */
const split =
  (own: RegExp, first: Oracle, rest: Oracle): Oracle =>
  (params, grads, lr, t) => {
    const of = (mine: boolean) =>
      Object.fromEntries(Object.entries(params).filter(([name]) => own.test(name) === mine));
    first(of(true), grads, lr, t);
    rest(of(false), grads, lr, t);
  };

export const cases: readonly Method[] = [
  plain(
    'muonWithAdamW',
    () => muonWithAdamW({ muon: { lr }, adamw: { lr, eps } }),
    () => split(/matrix|kernel|conv.weight|hidden.weight/, muonOracle(), adamwOracle({ eps })),
  ),
  plain(
    'groups',
    () => groups([{ match: /bias|vector/, optimizer: sgd({ lr }) }, { optimizer: lion({ lr }) }]),
    () => split(/bias|vector/, sgdOracle(), lionOracle()),
  ),
];
