import { adagrad } from '../optim/adagrad.ts';
import { adam } from '../optim/adam.ts';
import { adamw } from '../optim/adamw.ts';
import { enim } from '../optim/enim.ts';
import { kfac } from '../optim/kfac.ts';
import { lion } from '../optim/lion.ts';
import { lionK } from '../optim/lion-k.ts';
import { muonWithAdamW } from '../optim/muon-with-adamw.ts';
import { normDescent } from '../optim/norm-descent.ts';
import type { Optimizer } from '../optim/optimizer.ts';
import { rmsprop } from '../optim/rmsprop.ts';
import { sam } from '../optim/sam.ts';
import type { Rate } from '../optim/schedule.ts';
import { sgd } from '../optim/sgd.ts';
import { shampoo } from '../optim/shampoo.ts';
import { soap } from '../optim/soap.ts';

/** What a task chooses for a method; everything else stays at the method's own defaults. */
export interface Setting {
  readonly lr: number;
  readonly weightDecay: number;
  /** SAM's radius. */
  readonly rho?: number;
}

const METHODS = {
  sgd: ({ lr, weightDecay }) => sgd({ lr, weightDecay }),
  sam: ({ lr, weightDecay, rho }) => sam(sgd({ lr, weightDecay }), { rho }),
  lion: ({ lr, weightDecay }) => lion({ lr, weightDecay }),
  kfac: ({ lr, weightDecay }) => kfac({ lr, weightDecay }),
  shampoo: ({ lr, weightDecay }) => shampoo({ lr, weightDecay }),
  momentum: ({ lr, weightDecay }) => sgd({ lr, weightDecay, momentum: 0.9 }),
  nesterov: ({ lr, weightDecay }) => sgd({ lr, weightDecay, momentum: 0.9, nesterov: true }),
  adagrad: ({ lr, weightDecay }) => adagrad({ lr, weightDecay }),
  rmsprop: ({ lr, weightDecay }) => rmsprop({ lr, weightDecay }),
  adam: ({ lr, weightDecay }) => adam({ lr, weightDecay }),
  amsgrad: ({ lr, weightDecay }) => adam({ lr, weightDecay, amsgrad: true }),
  adamw: ({ lr, weightDecay }) => adamw({ lr, weightDecay }),
  'lion-k': ({ lr, weightDecay }) => lionK({ lr, weightDecay, K: { kind: 'lp', p: 1.5 } }),
  enim: ({ lr, weightDecay }) => enim({ lr, weightDecay }),
  'norm-descent': ({ lr, weightDecay }) => normDescent({ lr, weightDecay, norm: 'spectral' }),
  // The scale by which one rate and one decay serve both.
  muon: ({ lr, weightDecay }) =>
    muonWithAdamW({
      muon: { lr, weightDecay, scale: 'match-rms-adamw' },
      adamw: { lr, weightDecay },
    }),
  soap: ({ lr, weightDecay }) => soap({ lr, weightDecay }),
  asam: ({ lr, weightDecay, rho }) => sam(sgd({ lr, weightDecay }), { rho, adaptive: true }),
  looksam: ({ lr, weightDecay, rho }) =>
    sam(sgd({ lr, weightDecay }), { rho, every: 5, between: 'look' }),
} satisfies Record<string, (setting: MethodOptions) => Optimizer>;

type MethodOptions = Omit<Setting, 'lr'> & { readonly lr: Rate };

export type MethodName = keyof typeof METHODS;

export const METHOD_NAMES = Object.keys(METHODS) as MethodName[];

/** The methods that the published study compares. */
export const COMPARED: readonly MethodName[] = ['sgd', 'sam', 'lion', 'kfac', 'shampoo'];

/** Those that climb within a radius. */
export const SHARPNESS_AWARE: readonly MethodName[] = ['sam', 'asam', 'looksam'];

export const makeOptimizer = (name: MethodName, options: MethodOptions): Optimizer =>
  METHODS[name](options);
