import { describe, expect, it } from 'vitest';
import {
  adamw,
  embedding,
  type FitOptions,
  fit,
  flatten,
  type Layer,
  linear,
  sequential,
} from '../../src/index.ts';
import { digits } from '../../src/tasks/digits.ts';
import { entities } from '../../src/tasks/entities.ts';
import { images } from '../../src/tasks/images.ts';
import { mushroom, spambase, titanic } from '../../src/tasks/tables.ts';
import type { Problem } from '../../src/tasks/task.ts';

/** Test accuracy of the task's network, and of a model that is linear in the same inputs. */
async function accuracies(problem: Problem, flat: Layer, options: Partial<FitOptions>) {
  const accuracyOf = async (model: Layer) => {
    const { history } = await fit(model, problem.data, {
      optimizer: adamw({ lr: 0.003 }),
      loss: problem.loss,
      batch: 32,
      epochs: 1,
      evaluateEvery: { epochs: options.epochs ?? 1 },
      ...options,
    });
    return history[history.length - 1].testAccuracy as number;
  };
  return { network: await accuracyOf(problem.model), linear: await accuracyOf(flat) };
}

const flat = (classes: number) => sequential(flatten(), linear(classes));

describe('generated data are harder for a linear model by 10 points or more:', () => {
  it.each([titanic, spambase, mushroom])('$name', async (task) => {
    const problem = task.load({});
    expect(problem.data.train).toMatchObject({ synthetic: true, name: `synthetic ${task.name}` });
    const { network, linear } = await accuracies(problem, flat(2), { epochs: 20 });
    expect(network).toBeGreaterThan(0.75);
    expect(linear).toBeLessThan(network - 0.1);
  });

  it('digits', async () => {
    const problem = digits.load({ examples: 4000, testExamples: 1000 });
    const { network, linear } = await accuracies(problem, flat(10), { epochs: 2 });
    expect(network).toBeGreaterThan(0.75);
    expect(linear).toBeLessThan(network - 0.1);
  });

  it('entities', async () => {
    const problem = entities.load({ examples: 800, testExamples: 200, width: 32 });
    const oneWord = sequential(embedding(200, 100), linear(problem.classes.length));
    const { network, linear: alone } = await accuracies(problem, oneWord, { epochs: 3, batch: 8 });
    expect(network).toBeGreaterThan(0.8);
    expect(alone).toBeLessThan(network - 0.1);
  });

  it('images', async () => {
    const problem = images.load({ examples: 1000, testExamples: 300, width: 4 });
    const { network, linear } = await accuracies(problem, flat(10), { epochs: 3 });
    expect(network).toBeGreaterThan(0.5);
    expect(linear).toBeLessThan(network - 0.1);
  });
});
