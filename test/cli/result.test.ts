import { describe, expect, it } from 'vitest';
import { summarise } from '../../src/cli/result.ts';
import { resultTable } from '../../src/cli/table.ts';

const history = [0.9, 0.986, 0.984, 0.99].map((testAccuracy, i) => ({
  epoch: i + 1,
  trainLoss: 1 / (i + 1),
  testLoss: 2 / (i + 1),
  testAccuracy,
  epochSeconds: 1.5,
}));
const lion = summarise({ optimizer: 'lion', synthetic: false }, 0.985, history);

describe('a result', () => {
  it('is the last epoch, and the first at the target', () => {
    expect(lion).toEqual({
      optimizer: 'lion',
      synthetic: false,
      testAccuracy: 0.99,
      testLoss: 0.5,
      trainLoss: 0.25,
      seconds: 6,
      target: 0.985,
      epochsToTarget: 2,
      secondsToTarget: 3,
    });
  });

  it('says so when the target was never reached', () => {
    const result = summarise({ optimizer: 'sgd', synthetic: true }, 0.995, history);
    expect(result).toMatchObject({ epochsToTarget: null, secondsToTarget: null, seconds: 6 });
  });
});

it('tables results in columns', () => {
  const slow = { ...lion, optimizer: 'shampoo' as const, seconds: 12345.67, testLoss: 10.25 };
  const failed = {
    ...lion,
    optimizer: 'sgd' as const,
    epochsToTarget: null,
    secondsToTarget: null,
  };
  expect(resultTable('digits: LeNet-5 on mnist', [lion, slow, failed])).toMatchInlineSnapshot(`
    "digits: LeNet-5 on mnist

                  test      test    train               epochs    seconds
    method    accuracy      loss     loss   seconds   to 0.985   to 0.985
    ─────────────────────────────────────────────────────────────────────
    lion        0.9900    0.5000   0.2500       6.0          2        3.0
    shampoo     0.9900   10.2500   0.2500   12345.7          2        3.0
    sgd         0.9900    0.5000   0.2500       6.0          –          –"
  `);
});
