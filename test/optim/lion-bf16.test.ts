/** Lion with its momentum in bfloat16. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { type BoundOptimizer, fit, type LionOptions, lion, type Params } from '../../src/index.ts';
import { lionOp } from '../../src/ops/lion.ts';
import { statusBlock } from '../../src/ops/status.ts';
import { readSafetensors } from '../../src/train/safetensors.ts';
import { circle, network } from '../train/task.ts';
import { follow, LR, outside, STEPS, schedule } from './agreement.ts';
import { devices } from './devices.ts';
import { bf16, fromBits } from './oracles/bf16.ts';
import { lionOracle } from './oracles/lion.ts';
import { bytesOf, copyParams, randomGrads, randomParams, SHAPES } from './tensors.ts';

const VARIANTS: Omit<LionOptions, 'lr'>[] = [
  {},
  { weightDecay: 0.3 },
  { betas: [0.95, 0.6], weightDecay: 0.1 },
];

const folder = mkdtempSync(join(tmpdir(), 'flatmin-bf16-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The momentum of each tensor. */
const momenta = (optimizer: BoundOptimizer): Record<string, Float64Array> =>
  Object.fromEntries(
    Object.entries(optimizer.stateDict()).flatMap(([key, { data }]) =>
      key.startsWith('state/momentum/')
        ? [[key.slice('state/momentum/'.length), Float64Array.from(data, fromBits)]]
        : [],
    ),
  );

it('keeps the momentum of all tensors in one dtype', () => {
  const graph = new Graph();
  const f32 = (key: string) => graph.stored(key, { dtype: 'f32', shape: [2] });
  const bf16 = (key: string) => graph.stored(key, { dtype: 'bf16', shape: [2] });
  const attrs = { lrSlot: 0, beta1: 0.9, beta2: 0.99, weightDecay: 0 };
  const trace = (...tensors: Value[]) => graph.add(lionOp, [statusBlock(graph), ...tensors], attrs);
  const first = [f32('p'), f32('g'), bf16('m')];
  trace(...first, f32('q'), f32('h'), bf16('n'));
  expect(() => trace(...first, f32('q'), f32('h'), f32('o'))).toThrow(
    'lion expects state bf16, got f32[2]',
  );
  expect(() => trace(f32('p'), bf16('k'), bf16('m'))).toThrow(
    'lion expects a gradient f32, got bf16[2]',
  );
});

describe.each(devices)('lion with bf16 momentum on $title', ({ device, missing }) => {
  const start = (params: Params, options: Omit<LionOptions, 'lr'> = {}) =>
    lion(params, { lr: schedule(), momentumDtype: 'bf16', ...options, device });

  it.skipIf(missing !== null)('rounds by hand', () => {
    const w = { data: new Float32Array(6), shape: [6] };
    const optimizer = start({ w }, { betas: [0.5, 0.5] });
    // m = g/2. Two ties go to the even neighbour, 1 and 1 + 2⁻⁶; a little more than a tie goes up; then a
    // large number (gradients go to 2¹²⁷), one of 8 bits, and 0.
    const halves = [1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20, 8.5e37, -0.15625, 0];
    optimizer.step({ w: Float32Array.from(halves, (m) => 2 * m) });
    expect(optimizer.stateDict()['state/momentum/w']).toEqual({
      data: Uint16Array.of(0x3f80, 0x3f82, 0x3f81, 0x7e80, 0xbe20, 0),
      shape: [6],
    });
  });

  it.skipIf(missing !== null).each(VARIANTS)(
    'follows its equations for 50 steps, m rounded: %o',
    (options) => {
      const oracle = lionOracle({ ...options, kept: bf16 });
      const all = follow((params) => start(params, options), oracle);
      const flipped = outside(all);
      expect(flipped.length).toBeLessThanOrEqual(all.length / 50);
      for (const { got, want } of flipped) expect(Math.abs(got - want)).toBeLessThan(4.1 * LR);
    },
  );

  it.skipIf(missing !== null).each(VARIANTS)('stays near Lion in doubles: %o', (options) => {
    let optimizer: BoundOptimizer | undefined;
    const bind = (params: Params) => {
      optimizer = start(params, options);
      return optimizer;
    };
    const all = follow(bind, lionOracle(options));
    const far = ({ got, want }: { got: number; want: number }) =>
      !(Math.abs(got - want) <= 1e-3 || Math.abs(got - want) <= 1e-2 * Math.abs(want));
    // m = (1−β₂) Σ β₂^(T−t) gₜ
    const [, beta2] = options.betas ?? [0.9, 0.99];
    for (const [name, got] of Object.entries(momenta(optimizer as BoundOptimizer))) {
      got.forEach((m, i) => {
        let want = 0;
        for (let t = 1; t <= STEPS; t++)
          want = beta2 * want + (1 - beta2) * randomGrads(t)[name][i];
        expect(far({ got: m, want }), `${name}[${i}]: ${m}, not ${want}`).toBe(false);
      });
    }
    // Where c is smaller than what was rounded off, the sign turns: by 2η for a step, seldom more than once.
    const flipped = all.filter(far);
    expect(flipped.length).toBeLessThanOrEqual(all.length / 10);
    for (const { got, want } of flipped) expect(Math.abs(got - want)).toBeLessThan(6.1 * LR);
  });

  it.skipIf(missing !== null)(
    'steps as float32 does from the same m, and rounds the new one',
    () => {
      const params = randomParams();
      const narrow = start(params);
      for (let t = 1; t <= 20; t++) narrow.step(randomGrads(t));
      const other = copyParams(params);
      const wide = start(other, { momentumDtype: 'float32' });
      const state = Object.entries(narrow.stateDict()).map(([key, { data, shape }]) => [
        key,
        { data: data instanceof Uint16Array ? Float32Array.from(data, fromBits) : data, shape },
      ]);
      wide.loadStateDict(Object.fromEntries(state));
      narrow.step(randomGrads(21));
      wide.step(randomGrads(21));
      expect(bytesOf(params)).toBe(bytesOf(other));
      const kept = momenta(narrow);
      expect(Object.keys(kept)).toEqual(Object.keys(SHAPES));
      for (const [name, m] of Object.entries(kept)) {
        const exact = wide.stateDict()[`state/momentum/${name}`].data;
        expect([...m]).toEqual(Array.from(exact, bf16));
      }
    },
  );

  it.skipIf(missing !== null)('keeps m through a step that is skipped', () => {
    const params = randomParams();
    const optimizer = lion(params, {
      lr: 0.1,
      momentumDtype: 'bf16',
      onNonFinite: 'skip',
      device,
    });
    optimizer.step(randomGrads(1));
    const [before, bytes] = [momenta(optimizer), bytesOf(params)];
    const bad = randomGrads(2);
    bad.vector[3] = Infinity;
    optimizer.step(bad);
    expect(momenta(optimizer)).toEqual(before);
    expect(bytesOf(params)).toBe(bytes);
    optimizer.step(randomGrads(2));
    expect(momenta(optimizer)).not.toEqual(before);
  });

  it.skipIf(missing !== null)('refuses the state of the other dtype', () => {
    const make = (momentumDtype: LionOptions['momentumDtype']) =>
      start({ w: { data: new Float32Array(2), shape: [2] } }, { momentumDtype });
    const [narrow, wide] = [make('bf16'), make('float32')];
    expect(() => narrow.loadStateDict(wide.stateDict())).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: The state does not fit: "state/momentum/w" holds a Float32Array of 2, not a Uint16Array of 2]`,
    );
    expect(() => wide.loadStateDict(narrow.stateDict())).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: The state does not fit: "state/momentum/w" holds a Uint16Array of 2, not a Float32Array of 2]`,
    );
    expect(() => make('float16' as never)).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: lion: momentumDtype: Invalid option: expected one of "float32"|"bf16"]`,
    );
  });

  it.skipIf(missing !== null)('resumes from a checkpoint to the bit', async () => {
    const optimizer = () => lion({ lr: 0.01, momentumDtype: 'bf16', angularNoise: true });
    const train = async (epochs: number, checkpoint?: string, resume = false) => {
      const options = { batch: 10, device, seed: 3, checkpoint, resume };
      return fit(network(), { train: circle(40) }, { optimizer: optimizer(), epochs, ...options });
    };
    const checkpoint = join(folder, `${device}.safetensors`);
    await train(1, checkpoint);
    const { tensors } = readSafetensors(checkpoint);
    const kept = Object.entries(tensors).filter(([key]) => key.includes('momentum'));
    expect(kept.map(([, { dtype }]) => dtype)).toEqual(kept.map(() => 'bf16'));
    expect(kept.length).toBeGreaterThan(0);
    const resumed = await train(3, checkpoint, true);
    const straight = await train(3);
    expect(bytesOf(resumed.model.parameters())).toBe(bytesOf(straight.model.parameters()));
  });
});
