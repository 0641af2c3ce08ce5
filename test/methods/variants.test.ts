/** The methods by their names on the command line, each made of one flat object of options. */
import { describe, expect, it } from 'vitest';
import * as catalogue from '../../src/optim/catalogue.ts';
import type { Entry } from '../../src/optim/variants.ts';
import { COMPARED, METHOD_NAMES, makeOptimizer, variantOf } from '../../src/tasks/methods.ts';

const shown = (name: (typeof METHOD_NAMES)[number], options = {}) => {
  const { name: of, options: all } = makeOptimizer(name, options);
  return JSON.stringify([of, all]);
};

describe('the catalogue', () => {
  it('has a title, an equation and, but for Muon alone, a name on the command line for each method', () => {
    const entries = Object.entries<object>(catalogue).filter(
      (entry): entry is [string, Entry] => 'variants' in entry[1],
    );
    const titles = entries.map(([, { title }]) => title);
    expect(new Set(titles).size).toBe(entries.length);
    const names = entries.flatMap(([, method]) => Object.keys(method.variants));
    expect(names.toSorted()).toEqual([...METHOD_NAMES].sort());
    expect(METHOD_NAMES.slice(0, COMPARED.length)).toEqual(COMPARED);
    const unnamed = entries.filter(([, { variants }]) => Object.keys(variants).length === 0);
    expect(unnamed.map(([name]) => name)).toEqual(['muon']);
  });

  it('has no two variants that are the same but for the rate', () => {
    const distinct = new Set(METHOD_NAMES.map((name) => shown(name, { lr: 1, weightDecay: 0 })));
    expect(distinct.size).toBe(METHOD_NAMES.length);
  });
});

describe.each(METHOD_NAMES)('%s', (name) => {
  const variant = variantOf(name);

  it('is made again of all its settings, and takes each of them', () => {
    const settings = variant.settings({ lr: 0.25, weightDecay: 0.125, l1: 0.5 });
    expect(settings).toMatchObject({ lr: 0.25, weightDecay: 0.125, l1: 0.5 });
    expect(shown(name, settings)).toBe(shown(name, { lr: 0.25, weightDecay: 0.125, l1: 0.5 }));
    expect(variant.settings(settings)).toEqual(settings);
    for (const option of Object.keys(settings)) expect(variant.options).toContain(option);
  });

  it('answers an option that it lacks with the nearest', () => {
    expect(() => variant.make({ weightDecy: 1 })).toThrow(
      `${name}: Unknown option "weightDecy"; did you mean "weightDecay"?`,
    );
    expect(() => variant.settings({ weightDecay: 'much' })).toThrow(
      "weightDecay: expected a finite number of at least 0, got 'much'",
    );
  });
});
