import { adamw } from '../optim/adamw.ts';
import { kfac } from '../optim/kfac.ts';
import { lion } from '../optim/lion.ts';
import type { Optimizer } from '../optim/optimizer.ts';
import { sam } from '../optim/sam.ts';
import type { Rate } from '../optim/schedule.ts';
import { sgd } from '../optim/sgd.ts';
import { shampoo } from '../optim/shampoo.ts';

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
  adamw: ({ lr, weightDecay }) => adamw({ lr, weightDecay }),
} satisfies Record<string, (setting: MethodOptions) => Optimizer>;

type MethodOptions = Omit<Setting, 'lr'> & { readonly lr: Rate };

export type MethodName = keyof typeof METHODS;

export const METHOD_NAMES = Object.keys(METHODS) as MethodName[];

/** The methods that the published study compares. */
export const COMPARED: readonly MethodName[] = ['sgd', 'sam', 'lion', 'kfac', 'shampoo'];

export const makeOptimizer = (name: MethodName, options: MethodOptions): Optimizer =>
  METHODS[name](options);
