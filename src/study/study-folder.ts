import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { FlatminError } from '../errors.ts';
import { makeFolder, readText, replaceFile, writing } from '../files.ts';
import { takeLock } from '../lock.ts';
import type { Options } from '../optim/variants.ts';
import { Journal } from '../sweep/journal.ts';
import { define, SweepFolder } from '../sweep/sweep-folder.ts';
import { anyNumber, toJson } from '../train/json-numbers.ts';
import type { Run } from './measured.ts';
import { type Entry, type Part, partKey } from './part.ts';
import type { Size } from './size.ts';

const metrics = z.record(z.string(), anyNumber);

export const provenanceSchema = z.object({
  /** ISO 8601. */
  date: z.string(),
  machine: z.string(),
  threads: z.int().positive(),
  backend: z.string(),
  flatmin: z.string(),
  /** Of the checkout that it ran from; null outside of one. */
  commit: z.string().nullable(),
});

export type Provenance = Readonly<z.output<typeof provenanceSchema>>;

const runSchema = z.object({
  comparison: z.string(),
  contender: z.string(),
  seed: z.int().nonnegative(),
  settings: z.record(z.string(), z.unknown()),
  data: z.string(),
  diverged: z.boolean(),
  epochs: z.array(
    z.object({ trainLoss: anyNumber, testLoss: anyNumber, metrics, seconds: z.number() }),
  ),
  curve: z.array(
    z.object({
      step: z.int().positive(),
      epoch: z.number(),
      seconds: z.number(),
      testLoss: anyNumber,
      metrics,
    }),
  ),
  provenance: provenanceSchema,
  untimed: z.literal(true).optional(),
}) satisfies z.ZodType<KeptRun>;

/** A finished run as it is kept. */
export interface KeptRun extends Run {
  readonly settings: Options;
  /** Name of the data. */
  readonly data: string;
  readonly provenance: Provenance;
  /** It shared the machine: its seconds mean nothing. */
  readonly untimed?: true;
}

const paceSchema = z.object({
  comparison: z.string(),
  contender: z.string(),
  round: z.int().nonnegative(),
  steps: z.int().positive(),
  seconds: z.number(),
  provenance: provenanceSchema,
});

/** What the first steps of a contender took with nothing beside them. */
export type Pace = Readonly<z.output<typeof paceSchema>>;

const entry: z.ZodType<Entry> = z.lazy(() => z.union([anyNumber, z.array(entry)]));

const partSchema = z.object({
  setting: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  seed: z.int().nonnegative(),
  entries: z.record(z.string(), entry),
  seconds: z.number(),
}) satisfies z.ZodType<Part>;

const sourceSchema = z.object({ part: z.string(), provenance: provenanceSchema });

/** Where trials of a grid or a selection, or parts of an experiment, were run. */
export type SweptWhere = Readonly<z.output<typeof sourceSchema>>;

const choicesSchema = z.record(z.string(), z.record(z.string(), z.record(z.string(), z.unknown())));

/** Settings that a selection chose, by comparison and contender. */
export type Choices = Readonly<Record<string, Readonly<Record<string, Options>>>>;

/**
 * A study's files: study.json says which it is and of what size, runs.jsonl has a line for every finished run, paces.jsonl
 * what steps take of those that ran untimed, a file
 * in experiments one for every finished part, grids and selection are sweeps, sources.jsonl where they ran, chosen.json is
 * what the selection chose, and a checkpoint of the run under way.
 */
export class StudyFolder {
  readonly runs: Journal<KeptRun>;
  readonly paces: Journal<Pace>;
  /** A line whenever trials, or parts of an experiment, were begun. */
  readonly sources: Journal<SweptWhere>;
  readonly report: string;
  readonly #path: string;
  readonly #chosen: string;

  constructor(path: string) {
    this.#path = path;
    this.report = join(path, 'report');
    this.#chosen = join(path, 'chosen.json');
    this.runs = new Journal<KeptRun>(join(path, 'runs.jsonl'), {
      what: 'run',
      schema: runSchema,
      keyOf: ({ comparison, contender, seed }) => `${comparison}, ${contender}, seed ${seed}`,
    });
    this.paces = new Journal(join(path, 'paces.jsonl'), {
      what: 'pace',
      schema: paceSchema,
      keyOf: ({ comparison, contender, round }) => `${comparison}, ${contender}, round ${round}`,
    });
    this.sources = new Journal(join(path, 'sources.jsonl'), {
      what: 'source',
      schema: sourceSchema,
      keyOf: ({ part, provenance }) => `${part}, ${provenance.date}`,
    });
  }

  /** Keeps other processes out; returns what lets them in again. */
  lock(): () => void {
    return writing(this.#path, () => {
      makeFolder(this.#path);
      return takeLock(join(this.#path, 'study.lock'));
    });
  }

  define(study: string, size: Size, resume: boolean): void {
    const path = join(this.#path, 'study.json');
    define(path, { study, size }, { resume, what: 'study', folder: this.#path });
  }

  /** The folder of a sweep within the study. */
  sweep(...names: readonly string[]): string {
    return join(this.#path, ...names.map(fileName));
  }

  /** Parts of an experiment that have ended. */
  parts(experiment: string): Journal<Part> {
    const path = join(this.#path, 'experiments', `${fileName(experiment)}.jsonl`);
    writing(path, () => makeFolder(dirname(path)));
    return new Journal<Part>(path, { what: 'part', schema: partSchema, keyOf: partKey });
  }

  /** Trials of such a sweep that have ended. */
  trials(...names: readonly string[]) {
    return new SweepFolder(this.sweep(...names)).trials.read();
  }

  get chosen(): Choices {
    if (!existsSync(this.#chosen)) return {};
    const text = readText(this.#chosen);
    const refuse = () =>
      new FlatminError('FLATMIN_DATA', `${this.#chosen} holds no chosen settings; help: remove it`);
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      throw refuse();
    }
    const { data } = choicesSchema.safeParse(json);
    if (data === undefined) throw refuse();
    return data;
  }

  choose(comparison: string, contender: string, settings: Options): void {
    const { chosen } = this;
    const all = { ...chosen, [comparison]: { ...chosen[comparison], [contender]: settings } };
    writing(this.#chosen, () =>
      replaceFile(this.#chosen, (file) =>
        writeFileSync(file, `${JSON.stringify(JSON.parse(toJson(all)), null, 2)}\n`),
      ),
    );
  }

  /** The checkpoint of a run. */
  checkpoint(comparison: string, contender: string, seed: number): string {
    const name = [comparison, contender, `${seed}`].map(fileName).join('-');
    return join(this.#path, `${UNDER_WAY}${name}.safetensors`);
  }

  /** Of runs that are finished checkpoints are of no more use. */
  removeCheckpoints(): void {
    writing(this.#path, () => {
      for (const name of readdirSync(this.#path)) {
        if (name.startsWith(UNDER_WAY)) rmSync(join(this.#path, name), { force: true });
      }
    });
  }
}

const UNDER_WAY = 'under-way-';

const fileName = (name: string): string => name.replaceAll(/[^\w.-]+/g, '-');
