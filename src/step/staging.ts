import { isSharedArrayBuffer } from '../arguments.ts';
import type { FlatminError } from '../errors.ts';
import { checkArray } from './arrays.ts';

/** Arrays that work off the main thread may use: the caller's own on SharedArrayBuffers, copies of all others. */
export class Staging {
  readonly #copies = new Map<string, Float32Array>();

  /** The arrays under `keys`, in their order. */
  bringIn(
    keys: readonly string[],
    arrays: ReadonlyMap<string, Float32Array>,
  ): readonly Float32Array[] {
    return keys.map((key) => {
      const data = arrays.get(key) as Float32Array;
      if (isShared(data)) return data;
      let copy = this.#copies.get(key);
      if (copy?.length !== data.length) {
        copy = new Float32Array(new SharedArrayBuffer(data.byteLength));
        this.#copies.set(key, copy);
      }
      copy.set(data);
      return copy;
    });
  }

  /** Hands the values of the parameters `names` (by key) back; the error of the first array that is gone by now. */
  bringOut(
    arrays: ReadonlyMap<string, Float32Array>,
    names: ReadonlyMap<string, string>,
  ): FlatminError | undefined {
    let failure: FlatminError | undefined;
    for (const [key, name] of names) {
      const data = arrays.get(key) as Float32Array;
      const copy = this.#copies.get(key);
      if (isShared(data) || copy === undefined) continue;
      try {
        checkArray(`Parameter "${name}"`, data, copy.length);
        data.set(copy);
      } catch (error) {
        failure ??= error as FlatminError;
      }
    }
    return failure;
  }
}

const isShared = ({ buffer }: Float32Array): boolean => isSharedArrayBuffer(buffer);
