import { expect, it } from 'vitest';
import { embedding, fit, perplexity, sgd, tokenCrossEntropy } from '../../src/index.ts';
import { devices } from '../optim/devices.ts';

it.each(devices)('perplexity leaves padding out, on $title', async ({ device, missing }) => {
  if (missing !== null) return;
  const labels = Int32Array.of(1, 2, -1, 0, -1, -1, 3, 3, 1);
  const inputs = { data: Int32Array.of(0, 1, -1, 3, -1, -1, 2, 0, 1), shape: [3] };
  const data = { name: 'nine', synthetic: true, inputs, labels, labelShape: [3], classes: 4 };
  const { model } = await fit(
    embedding(4, 4),
    { train: { ...data, count: 3 } },
    { optimizer: sgd({ lr: 0.1 }), loss: tokenCrossEntropy(), epochs: 0, device },
  );
  const { metrics } = await model.evaluate({ ...data, count: 3 }, { metrics: [perplexity()] });
  const logits = model.predict(inputs.data).data;
  const surprises = [...labels].flatMap((label, i) => {
    const row = [...logits.subarray(4 * i, 4 * i + 4)];
    if (label === -1) return [];
    return [Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - row[label]];
  });
  const mean = surprises.reduce((sum, x) => sum + x, 0) / surprises.length;
  expect(surprises).toHaveLength(6);
  expect(metrics.perplexity / Math.exp(mean)).toBeCloseTo(1, 6);
});
