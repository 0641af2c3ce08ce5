/** What training seconds are counted by; both clocks are made up, so that neither's pace is tested. */
import { afterEach, expect, it, vi } from 'vitest';
import { type FitOptions, fit, sgd } from '../../src/index.ts';
import { circle, network } from './task.ts';

afterEach(() => void vi.restoreAllMocks());

const options = { optimizer: sgd({ lr: 0.1 }), epochs: 1, batch: 40, device: 'js' } as const;
const secondsOf = async (given: Partial<FitOptions>) => {
  const { history } = await fit(network(), { train: circle(40) }, { ...options, ...given });
  return history[0].epochSeconds;
};

it('is the processor’s time, of user and system together', async () => {
  let calls = 0;
  vi.spyOn(process, 'cpuUsage').mockImplementation(() => {
    calls += 1;
    return { user: 2e6 * calls, system: 1e6 * calls };
  });
  expect(await secondsOf({ clock: 'processor' })).toBe(3);
});

it('is by default the time that passes', async () => {
  const usage = vi.spyOn(process, 'cpuUsage');
  expect(await secondsOf({})).toBeGreaterThan(0);
  expect(usage).not.toHaveBeenCalled();
});

it('refuses another name', async () => {
  await expect(secondsOf({ clock: 'cpu' as 'wall' })).rejects.toThrow(
    /clock must be one of wall, processor, got 'cpu'/,
  );
});
