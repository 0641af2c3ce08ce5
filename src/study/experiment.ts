import type { DeviceName } from '../backend/device.ts';
import type { Section } from '../report/report.ts';
import type { Entries, Setting } from './part.ts';
import type { Parts } from './parts.ts';
import type { Size } from './size.ts';

/**
 * A computation for every setting and seed. Each such part runs in a process of its own and is kept as it ends, so that
 * a study that was stopped loses no more than what was under way.
 */
export interface Experiment<S extends Setting = Setting, E extends Entries = Entries> {
  readonly name: string;
  readonly title: string;
  /** A paragraph under its title. */
  readonly about: string;
  /** The task whose folder of data it reads, where it reads any. */
  readonly task?: string;
  /** It measures seconds: its parts run one after the other, in any size. */
  readonly alone?: true;
  readonly sizes: Readonly<Record<Size, ExperimentExtent<S>>>;
  /** Computes a part by nothing but its arguments. What it throws ends the study, and the part runs again. */
  run(setting: S, context: PartContext): E | Promise<E>;
  /** Its tables and figures. */
  sections(parts: Parts<S, E>): readonly Section[];
  /**
   * Entries as they might be, of numbers that `chance` draws from [0, 1): worlds are made of them in which every claim
   * is tried. Claims should come out in each way somewhere in their range.
   */
  madeUp(setting: S, chance: () => number): E;
}

export interface ExperimentExtent<S extends Setting = Setting> {
  readonly settings: readonly S[];
  readonly seeds: number;
}

export interface PartContext {
  readonly seed: number;
  readonly size: Size;
  /** The folder of the task's data; without one they are generated. */
  readonly dir?: string;
  readonly device: DeviceName;
  /** For what takes threads; 1 where other parts run beside it. */
  readonly threads: number;
}
