import { expect, it, vi } from 'vitest';

it('flatmin trains what TensorFlow.js differentiates, as docs/examples/tensorflow.js shows', async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  const file = new URL('../docs/examples/tensorflow.js', import.meta.url).href;
  const { results } = (await import(file)) as { results: Record<string, number[]> };
  expect(log.mock.calls.map(([line]) => line)).toEqual([
    expect.stringMatching(/^lion: loss 0\.\d+ → 0\.\d+$/),
    expect.stringMatching(/^shampoo: loss 0\.\d+ → 0\.\d+$/),
  ]);
  for (const [name, losses] of Object.entries(results)) {
    expect(losses.at(-1), name).toBeLessThan(0.2 * losses[0]);
  }
});
