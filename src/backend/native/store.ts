import { FlatminError } from '../../errors.ts';
import type { Numbers } from '../../graph/kernel.ts';
import { checkBytes } from '../../graph/memory.ts';
import {
  type ProgramSpec,
  sameShape,
  showType,
  sizeOf,
  type TensorType,
} from '../../graph/types.ts';
import { type BackendName, type Executable, newNumbers, type Store } from '../backend.ts';
import { NativeExecutable } from './executable.ts';
import { callNative, type NativeExecutor, type NativeStoreHandle } from './handles.ts';

const asBytes = ({ buffer, byteOffset, byteLength }: Numbers): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

let warned = false;

/** Once a process: results do not depend on it, times do. */
function warnOfThreads(there: number, wanted: number): void {
  if (warned) return;
  warned = true;
  process.emitWarning(
    `The system starts no more than ${there} of ${wanted} threads; the work is done by those. Help: raise its limit (ulimit -u, or the container's of pids), or ask for fewer (threads, FLATMIN_THREADS).`,
    { code: 'FLATMIN_THREADS' },
  );
}

export interface NativeOptions {
  readonly backend: Exclude<BackendName, 'js'>;
  /** `cuda:0`, or an instruction set of the CPU, of which an empty one is the widest. */
  readonly where: string;
  readonly threads: number;
}

/** Buffers and threads of the C++ executor, on the CPU or a CUDA device. */
export class NativeStore implements Store {
  readonly backend: BackendName;
  readonly threads: number;
  /** Instruction set of the kernels, `amx`, `avx512bf16`, `avx512`, `avx2` or `portable`, or the CUDA device. */
  readonly isa: string;
  readonly #addon: NativeExecutor;
  readonly #handle: NativeStoreHandle;
  readonly #types = new Map<string, TensorType>();

  constructor(addon: NativeExecutor, { backend, where, threads }: NativeOptions) {
    this.#addon = addon;
    this.backend = backend;
    this.#handle = callNative(() => new addon.Store(where, threads));
    this.isa = this.#handle.isa;
    this.threads = this.#handle.threads;
    if (this.threads < threads) warnOfThreads(this.threads, threads);
  }

  declare(key: string, type: TensorType): void {
    const known = this.#types.get(key);
    if (known === undefined) {
      checkBytes(type);
      callNative(() => this.#handle.declare(key, type));
      this.#types.set(key, type);
    } else if (known.dtype !== type.dtype || !sameShape(known.shape, type.shape)) {
      throw new FlatminError(
        'FLATMIN_SHAPE',
        `Buffer "${key}" is ${showType(known)} in this store and was declared as ${showType(type)}`,
      );
    }
  }

  has(key: string): boolean {
    return this.#types.has(key);
  }

  type(key: string): TensorType {
    const type = this.#types.get(key);
    if (type === undefined) {
      throw new FlatminError('FLATMIN_ARGUMENT', `No buffer "${key}" in this store`);
    }
    return type;
  }

  write(key: string, data: Numbers): void {
    const { dtype, shape } = this.type(key);
    const size = sizeOf(shape);
    // Optimised code may still see the old length of a detached array; its buffer tells the truth.
    const end = data.byteOffset + size * data.BYTES_PER_ELEMENT;
    if (data.length !== size || data.buffer.byteLength < end) {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `Buffer "${key}" holds ${size} elements, got ${data.length}${data.buffer.byteLength === 0 ? ' of a detached array' : ''}`,
      );
    }
    let own = data;
    if (data.constructor !== newNumbers(dtype, 0).constructor) {
      own = newNumbers(dtype, size);
      own.set(data);
    }
    callNative(() => this.#handle.write(key, asBytes(own)));
  }

  read(key: string): Numbers {
    const { dtype, shape } = this.type(key);
    const numbers = newNumbers(dtype, sizeOf(shape));
    callNative(() => this.#handle.read(key, asBytes(numbers)));
    return numbers;
  }

  load(spec: ProgramSpec): Executable {
    const program = callNative(() => new this.#addon.Program(spec, this.#handle));
    return new NativeExecutable(program, spec);
  }
}
