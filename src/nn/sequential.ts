import { inspect } from 'node:util';
import { wrongArgument } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { shown } from '../shown.ts';
import type { Layer } from './layer.ts';

/**
 * Layers one after the other, named 0, 1, 2… or by the keys of a record: parameter `conv1.weight`. Whole numbers are no
 * names of a record, whose order they would change.
 */
export function sequential(...layers: readonly Layer[]): Layer;
export function sequential(layers: Readonly<Record<string, Layer>>): Layer;
export function sequential(...given: readonly Layer[] | [Readonly<Record<string, Layer>>]): Layer {
  const [first] = given;
  const record = typeof first === 'object' && first !== null && !Array.isArray(first);
  const named: [string, Layer][] = record
    ? Object.entries(first)
    : (given.flat() as readonly Layer[]).map((layer, i) => [String(i), layer]);
  if (record) checkOrder(first);
  for (const [name, layer] of named) {
    if (typeof layer === 'function') continue;
    throw wrongArgument(`Layer "${name}" of sequential`, 'a layer', layer);
  }
  const model: Layer = (x, scope) =>
    named.reduce((y, [name, layer]) => scope.call(name, layer, y), x);
  return shown(model, () => {
    const lines = named.map(([name, layer]) => `${name}: ${inspect(layer)}`.replace(/^/gm, '  '));
    return `sequential {\n${lines.join('\n')}\n}`;
  });
}

/** JavaScript lists whole numbers first, by size, wherever they were written. */
function checkOrder(layers: object): void {
  const number = Object.keys(layers).find((name) => /^\d+$/.test(name));
  if (number === undefined) return;
  throw new FlatminError(
    'FLATMIN_ARGUMENT',
    `sequential cannot keep the order of layers that whole numbers name, as "${number}": JavaScript puts such names first, by size. Help: pass the layers one after the other, sequential(a, b), or begin their names with a letter.`,
  );
}
