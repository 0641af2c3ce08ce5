import type { Numbers } from '../../graph/kernel.ts';
import type { ProgramSpec } from '../../graph/types.ts';
import { type Executable, newNumbers, type RunOptions, type RunResult } from '../backend.ts';
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
    const reports = this.#room(rows);
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
    const reports = this.#room(rows);
    const taken = (steps: number) => reports.slice(0, steps * this.#reports);
    const promise = callNative(() => this.#handle.run(rows, bindings, phase, reports));
    const abort = () => this.#handle.abort();
    signal?.addEventListener('abort', abort, { once: true });
    const timer =
      onProgress &&
      setInterval(() => {
        const steps = this.#handle.progress(reports);
        if (steps !== undefined) onProgress({ steps, reports: taken(steps), stopped: false });
      }, POLL);
    try {
      const { steps, stopped } = await promise;
      return { steps, reports: taken(steps), stopped };
    } catch (error) {
      throw fromNative(error);
    } finally {
      clearInterval(timer);
      signal?.removeEventListener('abort', abort);
    }
  }

  free(): void {
    this.#handle.free();
  }

  /** For the reports of all steps. */
  #room = (rows: Float64Array): Float32Array =>
    newNumbers('f32', (rows.length / this.#rowWidth) * this.#reports) as Float32Array;
}
