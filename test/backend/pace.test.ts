import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Pace } from '../../src/backend/pace.ts';
import { fit, mlp, sgd } from '../../src/index.ts';
import { present } from '../optim/devices.ts';
import { circle } from '../train/task.ts';

let clock: number;
beforeEach(() => {
  clock = 0;
});
afterEach(() => vi.restoreAllMocks());

/** Works for so many milliseconds of a clock that nothing else moves, and tells how. */
function worker() {
  vi.spyOn(performance, 'now').mockImplementation(() => clock);
  const pace = new Pace();
  return async (milliseconds: number, expected = milliseconds) => {
    const work = (how: string) => {
      clock += milliseconds;
      return how;
    };
    return pace.do(expected, { now: () => work('now'), later: async () => work('later') });
  };
}

it('does at once what is known to be short', async () => {
  const work = worker();
  expect(await work(1, Number.NaN)).toBe('later');
  expect(await work(1.9)).toBe('now');
  expect(await work(2)).toBe('later');
  expect(await work(0)).toBe('now');
});

it('gives the event loop its turn before ten milliseconds are over', async () => {
  const work = worker();
  let turns = 0;
  let going = true;
  const turn = () => {
    turns += 1;
    if (going) setImmediate(turn);
  };
  setImmediate(turn);
  for (let i = 0; i < 40; i++) {
    const [before, since] = [turns, clock];
    while (turns === before) expect(await work(1.5)).toBe('now');
    // The piece that follows the turn is counted here, too.
    expect(clock - since).toBeLessThanOrEqual(10 + 1.5);
  }
  going = false;
});

it.each(present)('a training of short steps on %s hears of an abort', async (device) => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 20);
  const { stopped, history } = await fit(
    mlp({ hidden: 4, out: 2 }),
    { train: circle(20), test: circle(10) },
    {
      ...{ optimizer: sgd({ lr: 0.1 }), epochs: 1e7, batch: 10, device },
      signal: controller.signal,
    },
  );
  expect(stopped).toBe('aborted');
  expect(history.length).toBeLessThan(1e7);
});
