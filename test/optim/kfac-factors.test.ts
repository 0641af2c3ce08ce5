/** What K-FAC keeps of its layers after a step. */
import { describe, expect, it } from 'vitest';
import type { Dataset } from '../../src/index.ts';
import { Training } from '../../src/train/training.ts';
import { devices } from './devices.ts';
import { expectClose, factorsIn } from './kfac-state.ts';
import { factors } from './oracles/kfac.ts';
import { forward } from './oracles/network.ts';
import { batchOf, images, initialParams, LAYERS, model, NET, wholeSet } from './small-network.ts';

describe.each(devices)('the factors of kfac on $title', ({ device, missing }) => {
  async function factorsAfterOneStep(train: Dataset) {
    const training = new Training(
      model(),
      { train },
      wholeSet(device, { lr: 0.01, fisher: 'empirical' }),
    );
    await training.epoch();
    return LAYERS.map((layer) => factorsIn(training, layer));
  }

  it.skipIf(missing !== null)('are the averaged outer products of single examples', async () => {
    const data = images();
    const params = await initialParams(device);
    const passes = batchOf(data, 0).map(({ image, label }) =>
      forward(NET, params, image).backward(label),
    );
    const got = await factorsAfterOneStep(data);
    LAYERS.forEach((_, i) => {
      const want = factors(passes.map((rows) => rows[i]));
      expectClose(got[i].a, want.a, 1e-5);
      expectClose(got[i].g, want.g, 1e-5);
    });
    // The last input of a layer with a bias is 1, so its diagonal counts positions.
    expect(got[0].a.at(-1)?.at(-1)).toBeCloseTo(9, 5);
    expect(got[2].a.at(-1)?.at(-1)).toBeCloseTo(1, 5);
  });

  it.skipIf(missing !== null)('are the same when every example comes twice', async () => {
    const once = await factorsAfterOneStep(images());
    const twice = await factorsAfterOneStep(images(2));
    LAYERS.forEach((_, i) => {
      expectClose(twice[i].a, once[i].a, 1e-5);
      expectClose(twice[i].g, once[i].g, 1e-5);
    });
  });
});
