import { checkNames, isRegExp, show } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import type { Shape } from '../graph/types.ts';
import { ROOM } from '../ops/status.ts';
import { checkRecord, type Params } from '../step/arrays.ts';
import { type BindOptions, BoundOptimizer, type Optimizer } from '../step/bound.ts';
import type { Parameter } from '../step/context.ts';
import { isOptimizer, shownBy } from './optimizer.ts';

/** A parameter as groups see it. */
export interface Described {
  /** As `fc1.weight`. */
  readonly name: string;
  /** [out, …]. */
  readonly shape: Shape;
}

/** A pattern of the name, or a predicate called as by `Array.filter`, parameters in their order in the model. */
export type Match =
  | RegExp
  | ((parameter: Described, index: number, all: readonly Described[]) => boolean);

/** All that the members' bound optimizers are. */
type BoundBy<L extends readonly Group[]> = (
  L[number]['optimizer'] extends infer O
    ? O extends Optimizer<infer B>
      ? (bound: B) => void
      : never
    : never
) extends (bound: infer I) => void
  ? I
  : never;

/** Parameters and what steps them. */
export interface Group {
  /** Parameters of this group that no group before it took. Default all of them. */
  readonly match?: Match;
  readonly optimizer: Optimizer;
}

/**
 * An optimizer made of optimizers: every parameter is stepped by the first group that matches it, all from one
 * gradient. `groups([{ match: /bias$/, optimizer: sgd({ lr }) }, { optimizer: lion({ lr }) }])`.
 * A gradient that is not finite stops or skips the step of all. A parameter without a group and a group without a
 * parameter are `FLATMIN_ARGUMENT`, and so is a member that needs several gradients a step: `sam(groups([…]))`.
 *
 * `groups(list)` is an optimizer for `fit`; `groups(params, list)` is bound to the caller's arrays, and observes where
 * a member is K-FAC: a layer it is shown needs its weight and its bias in that member's group.
 */
export function groups(list: readonly Group[]): Optimizer;
export function groups<const L extends readonly Group[]>(
  params: Params,
  list: L,
  options?: BindOptions,
): BoundBy<L>;
export function groups(
  first: readonly Group[] | Params,
  second?: readonly Group[],
  options: BindOptions = {},
): Optimizer | BoundOptimizer {
  if (second === undefined) return over(first as readonly Group[]);
  const made = over(second);
  checkNames<BindOptions>('groups', options, {
    device: true,
    threads: true,
    seed: true,
    onNonFinite: true,
  });
  return new (made.Bound ?? BoundOptimizer)(made, first as Params, options);
}

function over(list: readonly Group[]): Optimizer {
  checkGroups(list);
  return shownBy({
    name: 'groups',
    options: {
      groups: list.map(({ match, optimizer }) => ({
        match: isRegExp(match) ? String(match) : (match?.name ?? 'all'),
        name: optimizer.name,
        ...optimizer.options,
      })),
    },
    // K-FAC's, which observes; at most one member has its own.
    Bound: list.find(({ optimizer }) => optimizer.Bound !== undefined)?.optimizer.Bound,
    trace: (t) => {
      const members = assign(list, t.params);
      const pass = t.gradient();
      const limits = t.params.map(({ value: { shape } }, i) => {
        const { optimizer } = list[members.findIndex((own) => own.includes(i))];
        return optimizer.largest?.(shape) ?? ROOM;
      });
      t.checkFinite(pass.grads, limits);
      list.forEach(({ optimizer }, group) => {
        const own = members[group];
        let passes = 0;
        optimizer.trace({
          ...t,
          params: own.map((i) => t.params[i]),
          gradient: () => {
            if (passes++ > 0) throw severalGradients(optimizer.name);
            return { ...pass, grads: own.map((i) => pass.grads[i]) };
          },
          state: (name, type, init) => t.state(`group${group}/${name}`, type, init),
          checkFinite: () => {},
        });
      });
    },
  });
}

function checkGroups(list: unknown): asserts list is readonly Group[] {
  if (!Array.isArray(list) || list.length === 0) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `groups expects a list of { match, optimizer }, got ${show(list)}`,
    );
  }
  list.forEach((group: unknown, i) => {
    checkRecord(`Group ${i}`, group);
    const { match, optimizer } = group as Record<string, unknown>;
    if (!isOptimizer(optimizer)) {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `Group ${i} must have an optimizer, got ${show(optimizer)}. Help: { match: /bias$/, optimizer: sgd({ lr }) }.`,
      );
    }
    if (match !== undefined && !isRegExp(match) && typeof match !== 'function') {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `The match of group ${i} must be a RegExp or a function, got ${show(match)}`,
      );
    }
  });
}

/** Indices of the parameters of each group. */
function assign(list: readonly Group[], params: readonly Parameter[]): number[][] {
  const all = params.map(({ name, value }) => ({ name, shape: value.shape }));
  const chosen = all.map((parameter, i) =>
    list.findIndex(({ match }) => {
      if (match === undefined) return true;
      if (isRegExp(match)) return parameter.name.search(match) !== -1;
      return match(parameter, i, all);
    }),
  );
  const names = (of: readonly Described[]) => of.map(({ name }) => `"${name}"`).join(', ');
  const left = all.filter((_, i) => chosen[i] === -1);
  if (left.length > 0) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `No group matches ${names(left)}. Help: end the list with a group without match.`,
    );
  }
  return list.map(({ optimizer }, group) => {
    const members = all.flatMap((_, i) => (chosen[i] === group ? [i] : []));
    if (members.length > 0) return members;
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `Group ${group} (${optimizer.name}) gets no parameter; there are ${names(all)}`,
    );
  });
}

const severalGradients = (name: string): FlatminError =>
  new FlatminError(
    'FLATMIN_ARGUMENT',
    `${name} needs several gradients a step and cannot be one of several groups. Help: put it around them, sam(groups([…])).`,
  );
