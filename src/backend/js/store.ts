import { FlatminError } from '../../errors.ts';
import type { Numbers } from '../../graph/kernel.ts';
import { checkBytes } from '../../graph/memory.ts';
import {
  type DType,
  type ProgramSpec,
  sameShape,
  showType,
  sizeOf,
  type TensorType,
} from '../../graph/types.ts';
import { type Executable, newNumbers, type Store } from '../backend.ts';
import { JsExecutable } from './executable.ts';

/** The TypeScript backend. With `float64` every f32 buffer holds doubles: the reference of the tests. */
export class JsStore implements Store {
  readonly backend = 'js';
  readonly threads = 1;
  readonly #float64: boolean;
  readonly #entries = new Map<string, { type: TensorType; data: Numbers }>();

  constructor(options: { float64?: boolean } = {}) {
    this.#float64 = options.float64 ?? false;
  }

  newNumbers(dtype: DType, length: number): Numbers {
    return this.#float64 && dtype === 'f32' ? new Float64Array(length) : newNumbers(dtype, length);
  }

  get float64(): boolean {
    return this.#float64;
  }

  declare(key: string, type: TensorType): void {
    const known = this.#entries.get(key);
    if (known === undefined) {
      checkBytes(type);
      this.#entries.set(key, { type, data: this.newNumbers(type.dtype, sizeOf(type.shape)) });
    } else if (known.type.dtype !== type.dtype || !sameShape(known.type.shape, type.shape)) {
      throw new FlatminError(
        'FLATMIN_SHAPE',
        `Buffer "${key}" is ${showType(known.type)} in this store and was declared as ${showType(type)}`,
      );
    }
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  type(key: string): TensorType {
    return this.#entry(key).type;
  }

  /** The buffer itself, for the executable. */
  data(key: string): Numbers {
    return this.#entry(key).data;
  }

  write(key: string, data: Numbers): void {
    const entry = this.#entry(key);
    if (data.length !== entry.data.length) {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `Buffer "${key}" holds ${entry.data.length} elements, got ${data.length}`,
      );
    }
    entry.data.set(data);
  }

  read(key: string): Numbers {
    return this.#entry(key).data.slice();
  }

  load(spec: ProgramSpec): Executable {
    return new JsExecutable(spec, this);
  }

  #entry(key: string): { type: TensorType; data: Numbers } {
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      throw new FlatminError('FLATMIN_ARGUMENT', `No buffer "${key}" in this store`);
    }
    return entry;
  }
}
