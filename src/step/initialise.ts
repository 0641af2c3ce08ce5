import { newNumbers, type Store } from '../backend/backend.ts';
import { Program } from '../backend/program.ts';
import { compile } from '../graph/compile.ts';
import { Graph } from '../graph/graph.ts';
import { sizeOf } from '../graph/types.ts';
import type { Init } from '../nn/init.ts';
import { drawUniform, setDiagonal } from '../ops/initialise.ts';
import { STREAM } from '../random/philox.ts';

/** A new buffer of a store, still zeros, and how it begins. */
export interface Beginning {
  readonly key: string;
  /** Zeros where there is none. */
  readonly init?: Init;
}

/** Fills new buffers where they lie, by a program: number `index` of them is a function of that and the seed alone. */
export function initialise(store: Store, tensors: readonly Beginning[], seed = 0): void {
  const graph = new Graph();
  tensors.forEach(({ key, init }, index) => {
    if (init === undefined) return;
    const type = store.type(key);
    if (init.kind === 'constant') {
      if (init.value === 0) return;
      store.write(key, newNumbers(type.dtype, sizeOf(type.shape)).fill(init.value));
      return;
    }
    const x = graph.stored(key, type);
    if (init.kind === 'uniform') drawUniform(x, init.bound, STREAM.init + index);
    else setDiagonal(x, init.value, init);
  });
  if (graph.nodes.length === 0) return;
  new Program(compile(graph), store).runSync([{ step: 0, epoch: 0, seed, offset: 0 }]);
}
