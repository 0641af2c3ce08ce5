import { z } from 'zod';
import { findFiles } from '../data/locate.ts';
import { syntheticTable } from '../data/synthetic-tables.ts';
import { splitRows, TableTransform, type TransformJSON } from '../data/table.ts';
import { loadTable, readRows, TABLES, type TableName } from '../data/tabular.ts';
import { mlp } from '../nn/models.ts';
import { classAnswers } from './answers.ts';
import { firstExamples } from './examples.ts';
import { TABLE_SETTINGS } from './table-settings.ts';
import type { DataSource, Task } from './task.ts';

const WIDTH = 64;
const DROPOUT = 0.2;
/** One split for all runs, so that they can be compared: `--seed` is the network's. */
const SPLIT = { seed: 0, test: 0.2 };
const VALIDATION = 0.2;

/** The network of the published study of Lion on small tables; its sizes are not published. */
const network = (hidden: number, out: number) => mlp({ hidden, out, dropout: DROPOUT });

const column = { name: z.string(), missing: z.boolean() };
const savedSchema = z.object({
  width: z.int().positive(),
  transform: z.object({
    target: z.string(),
    classes: z.array(z.string()).min(1),
    columns: z.array(
      z.discriminatedUnion('kind', [
        z.object({ ...column, kind: z.literal('numeric'), mean: z.number(), std: z.number() }),
        z.object({ ...column, kind: z.literal('categorical'), categories: z.array(z.string()) }),
      ]),
    ),
  }) satisfies z.ZodType<TransformJSON>,
});

function tableTask(name: TableName, target: number): Task {
  return {
    name,
    network: 'MLP',
    dataset: name,
    batch: 32,
    epochs: 30,
    width: WIDTH,
    target,
    settings: TABLE_SETTINGS[name],
    isIn: (dir) => findFiles(dir, name, TABLES[name].file).length > 0,
    load: ({ dir, width = WIDTH, validation, examples, testExamples }: DataSource) => {
      const table = dir === undefined ? syntheticTable(name) : loadTable(dir, name);
      const share = validation ? VALIDATION : 0;
      const rows = splitRows(table.rows.length, { ...SPLIT, validation: share });
      const transform = TableTransform.fit(table, rows.train, TABLES[name].transform);
      const called = {
        name: dir === undefined ? table.source : name,
        synthetic: dir === undefined,
      };
      const dataset = (of: Int32Array) => ({ ...transform.dataset(table, of), ...called });
      return {
        data: {
          train: firstExamples(dataset(rows.train), examples),
          test: firstExamples(dataset(validation ? rows.validation : rows.test), testExamples),
        },
        ...(validation && { final: firstExamples(dataset(rows.test), testExamples) }),
        model: network(width, transform.classes.length),
        classes: transform.classes,
        saved: { width, transform },
      };
    },
    open: (saved) => {
      const { width, transform: json } = savedSchema.parse(saved);
      const transform = new TableTransform(json);
      return {
        model: network(width, transform.classes.length),
        read: (path) => {
          const rows = readRows(path, name);
          const shape = [rows.rows.length, transform.features.length];
          return {
            inputs: { data: transform.inputs(rows), shape },
            answers: (outputs) => classAnswers(outputs, transform.classes),
          };
        },
      };
    },
  };
}

export const titanic = tableTask('titanic', 0.75);
export const spambase = tableTask('spambase', 0.93);
export const mushroom = tableTask('mushroom', 0.99);
