import { setImmediate } from 'node:timers/promises';
import type { Kernel, Numbers, Operand } from '../../graph/kernel.ts';
import { allocate } from '../../graph/memory.ts';
import { type BufferSpec, type DType, type ProgramSpec, sizeOf } from '../../graph/types.ts';
import { findOp } from '../../ops/define.ts';
import { type Executable, newNumbers, type RunOptions, type RunResult } from '../backend.ts';

/** The store as its programs see it. */
interface Buffers {
  /** f32 buffers hold doubles. */
  readonly float64: boolean;
  newNumbers(dtype: DType, length: number): Numbers;
  /** The buffer itself. */
  data(key: string): Numbers;
}

/** Runs a program with the TypeScript kernels, step by step on the main thread. */
export class JsExecutable implements Executable {
  readonly #spec: ProgramSpec;
  readonly #kernels: readonly { run: Kernel; flag: number }[];
  readonly #bound: readonly Operand[];
  readonly #reports: readonly Operand[];
  readonly #status: Operand | undefined;

  constructor(spec: ProgramSpec, store: Buffers) {
    this.#spec = spec;
    // Doubles need twice the room: every offset is doubled, so shared memory stays shared.
    const bytes = spec.arenaBytes * (store.float64 ? 2 : 1);
    const arena = allocate(bytes, "a program's temporaries", () => new ArrayBuffer(bytes));
    const operands = spec.buffers.map((buffer) => toOperand(buffer, store, arena));
    this.#bound = operands.filter((_, id) => spec.buffers[id].place.kind === 'bound');
    this.#reports = spec.reports.map((id) => operands[id]);
    this.#status = operands[spec.status];
    this.#kernels = spec.instructions.map((instruction) => ({
      run: findOp(instruction.op).kernel({
        inputs: instruction.inputs.map((id) => operands[id]),
        outputs: instruction.outputs.map((id) => operands[id]),
        attrs: instruction.attrs,
      }),
      flag: instruction.section === 0 ? -1 : spec.slots.length + instruction.section - 1,
    }));
  }

  runSync(rows: Float64Array, bindings: readonly Numbers[] = [], phase?: number): RunResult {
    const run = this.#begin(rows, bindings);
    while (!run.finished()) run.step(phase);
    return run.result();
  }

  async run(rows: Float64Array, options: RunOptions = {}): Promise<RunResult> {
    const run = this.#begin(rows, options.bindings);
    let reported = performance.now();
    while (!run.finished() && !options.signal?.aborted) {
      run.step(options.phase);
      if (options.onProgress !== undefined && performance.now() - reported > 100) {
        options.onProgress(run.result());
        reported = performance.now();
      }
      await setImmediate();
    }
    return run.result();
  }

  /** All of it is the heap's. */
  free(): void {}

  #begin(rows: Float64Array, bindings: readonly Numbers[] = []) {
    this.#bound.forEach((operand, i) => {
      operand.data = bindings[i];
    });
    const spec = this.#spec;
    const width = spec.slots.length + spec.sections.length - 1;
    const steps = rows.length / width;
    const reports = newNumbers('f32', steps * this.#reports.length) as Float32Array;
    let done = 0;
    const stopped = () => (this.#status?.data[0] ?? 0) !== 0;
    return {
      finished: () => done === steps || stopped(),
      step: (phase?: number) => {
        const row = rows.subarray(done * width, (done + 1) * width);
        const first = phase === undefined ? 0 : spec.phases[phase];
        const last =
          phase === undefined
            ? this.#kernels.length
            : (spec.phases[phase + 1] ?? this.#kernels.length);
        for (let i = first; i < last; i++) {
          const { run, flag } = this.#kernels[i];
          if (flag < 0 || row[flag] !== 0) run(row);
        }
        this.#reports.forEach((operand, i) => {
          reports[done * this.#reports.length + i] = operand.data[0];
        });
        done += 1;
      },
      result: (): RunResult => ({
        steps: done,
        reports: reports.slice(0, done * this.#reports.length),
        stopped: stopped(),
      }),
    };
  }
}

function toOperand(buffer: BufferSpec, store: Buffers, arena: ArrayBuffer): Operand {
  const size = sizeOf(buffer.shape);
  const { dtype, shape, place } = buffer;
  switch (place.kind) {
    case 'store':
      return { dtype, shape, size, data: store.data(place.key) };
    case 'bound':
      return { dtype, shape, size, data: newNumbers(dtype, 0) };
    case 'arena': {
      const View = store.newNumbers(dtype, 0).constructor as Float32ArrayConstructor;
      const offset = place.offset * (store.float64 ? 2 : 1);
      return { dtype, shape, size, data: new View(arena, offset, size) };
    }
  }
}
