import type { ProgramSpec } from '../../graph/types.ts';
import type { Numbers } from '../../ops/define.ts';
import type { Executable, RunOptions, RunResult } from '../backend.ts';
import { callNative, fromNative, type NativeProgramHandle } from './handles.ts';

/** Milliseconds between two looks at a run's progress. */
const POLL = 50;

/** A program prepared by the C++ executor. */
export class NativeExecutable implements Executable {
  readonly #handle: NativeProgramHandle;
  readonly #rowWidth: number;
  readonly #reports: number;
  readonly #outcome = new Int32Array(2);

  constructor(handle: NativeProgramHandle, spec: ProgramSpec) {
    this.#handle = handle;
    this.#rowWidth = spec.slots.length + spec.sections.length - 1;
    this.#reports = spec.reports.length;
  }

  runSync(rows: Float64Array, bindings: readonly Numbers[] = [], phase = -1): RunResult {
    const reports = new Float32Array((rows.length / this.#rowWidth) * this.#reports);
    const outcome = this.#outcome;
    callNative(() => this.#handle.runSync(rows, bindings, phase, reports, outcome));
    const [steps, stopped] = outcome;
    return {
      steps,
      reports: reports.subarray(0, steps * this.#reports),
      stopped: stopped !== 0,
    };
  }

  async run(
    rows: Float64Array,
    { signal, onProgress, bindings = [], phase = -1 }: RunOptions = {},
  ): Promise<RunResult> {
    if (signal?.aborted) return { steps: 0, reports: new Float32Array(0), stopped: false };
    const promise = callNative(() => this.#handle.run(rows, bindings, phase));
    const abort = () => this.#handle.abort();
    signal?.addEventListener('abort', abort, { once: true });
    const timer =
      onProgress &&
      setInterval(() => {
        const progress = this.#handle.progress();
        if (progress !== undefined) onProgress(progress);
      }, POLL);
    try {
      return await promise;
    } catch (error) {
      throw fromNative(error);
    } finally {
      clearInterval(timer);
      signal?.removeEventListener('abort', abort);
    }
  }
}
