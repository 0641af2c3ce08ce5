import type { Layer } from './layer.ts';

/** Layers one after the other, named 0, 1, 2… or by the keys of a record: parameter `conv1.weight`. */
export function sequential(...layers: readonly Layer[]): Layer;
export function sequential(layers: Readonly<Record<string, Layer>>): Layer;
export function sequential(...given: readonly Layer[] | [Readonly<Record<string, Layer>>]): Layer {
  const [first] = given;
  const named: [string, Layer][] =
    given.length === 1 && typeof first === 'object'
      ? Object.entries(first)
      : (given as readonly Layer[]).map((layer, i) => [String(i), layer]);
  return (x, scope) => named.reduce((y, [name, layer]) => scope.call(name, layer, y), x);
}
