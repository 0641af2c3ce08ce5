import type { Value } from '../graph/graph.ts';
import type { Section } from '../graph/moment.ts';

/** Scalars that some methods compute along the way. */
export interface StepScalars {
  /** With `onNonFinite: 'skip'`: 1 in a step that was left out, 0 in one that was taken. */
  readonly skipped?: number;
  /** SAM's L(θ + ε̂) − L(θ), in the steps that climb. */
  readonly sharpness?: number;
  /** Lion's angle between c and sign(c), in radians, of all tensors as one vector. */
  readonly angularNoise?: number;
  /** The same of each tensor, by name. */
  readonly angularNoises?: Readonly<Record<string, number>>;
}

export type Report = (name: keyof StepScalars, value: Value, tensor?: string) => void;

interface Reported {
  readonly name: keyof StepScalars;
  readonly tensor: string | undefined;
  readonly value: Value;
}

/** What a method reports while it is traced, and what a step's reports then say. */
export class Scalars {
  readonly #reported: Reported[] = [];

  readonly report: Report = (name, value, tensor) => {
    this.#reported.push({ name, value, tensor });
  };

  /** In the order of the reports. */
  get values(): readonly Value[] {
    return this.#reported.map(({ value }) => value);
  }

  /** Those that step `step` computed, from reports that begin at `at`. */
  read(reports: ArrayLike<number>, at: number, step: number): StepScalars {
    const scalars: Record<string, number | Record<string, number>> = {};
    this.#reported.forEach(({ name, tensor, value }, i) => {
      if (!sectionOf(value).due(step)) return;
      const number = reports[at + i];
      if (tensor === undefined) scalars[name] = number;
      else scalars[name] = Object.assign(scalars[name] ?? {}, { [tensor]: number });
    });
    return scalars as StepScalars;
  }
}

/** When a value is computed. */
const sectionOf = ({ graph, node }: Value): Section => graph.sections[node?.section ?? 0];
