import * as catalogue from '../optim/catalogue.ts';
import type { Options, Variant } from '../optim/variants.ts';
import type { Optimizer } from '../step/bound.ts';

type NamesOf<M> = M extends { readonly variants: infer V } ? keyof V & string : never;

/** A method as the command line and tasks name it. */
export type MethodName = {
  [M in keyof typeof catalogue]: NamesOf<(typeof catalogue)[M]>;
}[keyof typeof catalogue];

/** The methods that the published study compares. */
export const COMPARED: readonly MethodName[] = ['sgd', 'sam', 'lion', 'kfac', 'shampoo'];

/** Those that climb within a radius. */
export const SHARPNESS_AWARE = Object.keys(catalogue.sam.variants) as MethodName[];

const VARIANTS: Readonly<Record<MethodName, Variant>> = Object.assign(
  {},
  ...Object.values(catalogue).map((method) => ('variants' in method ? method.variants : {})),
);

export const METHOD_NAMES: readonly MethodName[] = [
  ...new Set([...COMPARED, ...(Object.keys(VARIANTS) as MethodName[])]),
];

export const variantOf = (name: MethodName): Variant => VARIANTS[name];

export const makeOptimizer = (name: MethodName, options: Options): Optimizer =>
  VARIANTS[name].make(options);
