import { describe, expect, it } from 'vitest';
import {
  cadence,
  methods,
  nonNegative,
  oneOf,
  setting,
  wholeFrom,
} from '../../src/cli/arguments.ts';
import { nearest } from '../../src/nearest.ts';

describe('numbers', () => {
  it('are read in the usual ways of writing', () => {
    expect(['0', '1e-3', '.5', ' 2 '].map(nonNegative)).toEqual([0, 0.001, 0.5, 2]);
    expect(wholeFrom(1)('1e3')).toBe(1000);
  });

  it.each(['-1', 'NaN', 'Infinity', '', ' ', '1,5', '3x'])('refuse %j', (text) => {
    expect(() => nonNegative(text)).toThrow('Expected a finite number of at least 0.');
  });

  it.each(['0', '1.5', '-3', '1e17', '5000'])('that are whole refuse %j', (text) => {
    expect(() => wholeFrom(1, 1024)(text)).toThrow('Expected a whole number 1 … 1024.');
  });
});

describe('names', () => {
  const names = ['sgd', 'sam', 'lion', 'kfac', 'shampoo', 'adamw'];

  it('are told apart by the fewest edits', () => {
    expect(nearest('lino', names)).toBe('lion');
    expect(nearest('K-FAC', names)).toBe('kfac');
    expect(nearest('shampo', names)).toBe('shampoo');
    expect(nearest('adam', names)).toBe('adamw');
    expect(nearest('gradient', names)).toBeUndefined();
    expect(nearest('batchSize', ['batch', 'seed'])).toBe('batch');
    expect(nearest('learningRate', ['batch', 'lr'])).toBe('lr');
  });

  it('must be known', () => {
    expect(oneOf(names)('sam')).toBe('sam');
    expect(() => oneOf(names)('lions')).toThrow(
      'Did you mean lion? Expected one of: sgd, sam, lion, kfac, shampoo, adamw.',
    );
    expect(() => oneOf(names)('newton')).toThrow(/^Expected one of/);
  });

  it('of methods are a list, or all', () => {
    expect(methods('lion')).toEqual(['lion']);
    expect(methods('sgd, lion')).toEqual(['sgd', 'lion']);
    expect(methods('all')).toEqual(['sgd', 'sam', 'lion', 'kfac', 'shampoo']);
    expect(() => methods('sgd,')).toThrow('Expected one of: all, sgd');
    expect(() => methods('sgd,all')).toThrow('all stands alone.');
    expect(() => methods('sgd,lion,sgd')).toThrow('sgd is named twice.');
  });
});

describe('--set', () => {
  const all = (...texts: string[]) =>
    texts.reduce<ReturnType<typeof setting>>((before, text) => setting(text, before), {});

  it('takes numbers, flags, lists, text and what lies in objects', () => {
    expect(all('betas=0.9,0.95', 'amsgrad=true', 'eps=1e-4', 'p=Infinity', 'scope=global')).toEqual(
      { betas: [0.9, 0.95], amsgrad: true, eps: 1e-4, p: Infinity, scope: 'global' },
    );
    expect(all('K.kind=lp', 'K.p=3')).toEqual({ K: { kind: 'lp', p: 3 } });
    expect(all('constructor=x', 'toString=1')).toEqual({ constructor: 'x', toString: 1 });
  });

  it.each([['lr'], ['=3'], ['a b=1'], ['K.=1'], ['__proto__.x=1']])('refuses %s', (text) => {
    expect(() => setting(text)).toThrow('Expected name=value.');
  });

  it('refuses what is set twice', () => {
    expect(() => all('eps=1', 'eps=2')).toThrow('eps is set twice.');
    expect(() => all('K=1', 'K.p=2')).toThrow('K is set twice.');
    expect(() => all('K.p=2', 'K=1')).toThrow('K is set twice.');
  });
});

it('--evaluate-every counts epochs, or steps where it says so', () => {
  expect(['2', '3 epochs', '1epoch', '500steps', '1 step'].map(cadence)).toEqual([
    ...[{ epochs: 2 }, { epochs: 3 }, { epochs: 1 }, { steps: 500 }, { steps: 1 }],
  ]);
  for (const text of ['0', 'steps', '', '1.5steps', '2 days']) {
    expect(() => cadence(text)).toThrow('Expected a whole number of at least 1.');
  }
});
