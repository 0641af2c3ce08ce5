import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { addonPath } from '../../scripts/record.mjs';
import type { Store } from '../../src/backend/backend.ts';
import { openStore } from '../../src/backend/device.ts';
import { JsStore } from '../../src/backend/js/store.ts';
import { loadAddon } from '../../src/backend/native/addon.ts';
import { NativeStore } from '../../src/backend/native/store.ts';
import { Program } from '../../src/backend/program.ts';
import type { FlatminError } from '../../src/errors.ts';
import { compile } from '../../src/graph/compile.ts';
import { Graph } from '../../src/graph/graph.ts';
import { sgd } from '../../src/index.ts';
import { assign, keep } from '../../src/ops/assign.ts';
import { affine } from '../../src/ops/elementwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { checkFinite, LARGEST, statusBlock } from '../../src/ops/status.ts';
import { provideEmulation } from '../emulation/build.ts';

const { addon, reason } = loadAddon();
const native = (threads = 2): Store => {
  if (addon === null) throw new Error(`needs the addon: ${reason}`);
  return new NativeStore(addon, { backend: 'cpu', where: '', threads });
};

/** x ← x + 1, reported; `size` elements make a step slow. */
function counter(store: Store, size = 1) {
  const graph = new Graph();
  const x = graph.stored('x', { dtype: 'f32', shape: [size] });
  assign([x], [affine(x, 1, 1)]);
  return new Program(compile(graph, { reports: [affine(sum(x), 1 / size)] }), store);
}

const moments = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ step: i + 1, epoch: 0, seed: 0, offset: 0 }));

/** With a size that makes a step slow. */
const devices: [string, () => Store, number][] = [['js', () => new JsStore(), 1 << 16]];
if (addon !== null) devices.push(['cpu', native, 1 << 16]);
const emulation = await provideEmulation();
if (emulation.missing === null)
  devices.push(['cuda-emulated', () => openStore({ device: 'cuda-emulated' }), 1 << 10]);

describe.each(devices)('run on %s', (_, open, slow) => {
  it('performs every step and reports each', async () => {
    const { steps, reports, stopped } = await counter(open()).run(moments(5));
    expect({ steps, reports: [...reports], stopped }).toEqual({
      steps: 5,
      reports: [1, 2, 3, 4, 5],
      stopped: false,
    });
  });

  it('stops between two steps when aborted, and goes on from there', async () => {
    const store = open();
    const program = counter(store, slow);
    const controller = new AbortController();
    const running = program.run(moments(100_000), {
      signal: controller.signal,
      onProgress: ({ steps }) => {
        if (steps > 0) controller.abort();
      },
    });
    const { steps, reports } = await running;
    expect(steps).toBeGreaterThan(0);
    expect(steps).toBeLessThan(100_000);
    expect(reports).toHaveLength(steps);
    expect(store.read('x')[0]).toBe(steps);
    expect(program.runSync(moments(1)).reports[0]).toBe(steps + 1);
  });

  it('does nothing when aborted beforehand', async () => {
    const { steps } = await counter(open()).run(moments(3), { signal: AbortSignal.abort() });
    expect(steps).toBe(0);
  });

  it('runs sections in their steps alone', async () => {
    const store = open();
    const graph = new Graph();
    const x = graph.stored('x', { dtype: 'f32', shape: [1] });
    graph.inSection({ name: 'third', due: (step) => step % 3 === 0 }, () =>
      assign([x], [affine(x, 10, 0)]),
    );
    assign([x], [affine(x, 1, 1)]);
    const program = new Program(compile(graph, { reports: [affine(x, 1, 0)] }), store);
    const { reports } = await program.run(moments(20));
    let want = 0;
    const expected = moments(20).map(({ step }) => {
      want = step % 3 === 0 ? Math.fround(10 * want) + 1 : want + 1;
      return Math.fround(want);
    });
    expect([...reports]).toEqual(expected);
  });

  it('ends at the step in which the status block is set', async () => {
    const store = open();
    const graph = new Graph();
    const status = statusBlock(graph);
    const x = graph.stored('x', { dtype: 'f32', shape: [1] });
    checkFinite(status, { grads: [affine(x, 2 ** 100, 0)], limits: [LARGEST] }, 'throw');
    keep(status, [x], [affine(x, 2 ** 10, 0)]);
    const program = new Program(compile(graph, { reports: [affine(x, 1, 0)], status }), store);
    store.write('x', Float32Array.of(1));
    // In step 4 x·2¹⁰⁰ is 2¹³⁰.
    const { steps, reports, stopped } = await program.run(moments(30));
    expect({ steps, stopped, reports: [...reports] }).toEqual({
      steps: 4,
      stopped: true,
      reports: [2 ** 10, 2 ** 20, 2 ** 30, 2 ** 30],
    });
    expect(store.read('x')[0]).toBe(2 ** 30);
    expect((await program.run(moments(1))).steps).toBe(0);
  });

  it('leaves the event loop free', async () => {
    // Timers that fire during the run are what ends it: a blocked loop would perform every step.
    let ticks = 0;
    const controller = new AbortController();
    const timer = setInterval(() => {
      ticks += 1;
      if (ticks === 3) controller.abort();
    }, 1);
    const { steps } = await counter(open(), slow).run(moments(100_000), {
      signal: controller.signal,
    });
    clearInterval(timer);
    expect(steps).toBeLessThan(100_000);
    expect(ticks).toBeGreaterThan(1);
  });

  it('refuses keys it does not have, and arrays of another length', () => {
    const store = open();
    counter(store, 3);
    expect(() => store.read('y')).toThrow('No buffer "y" in this store');
    expect(() => store.write('x', new Float32Array(4))).toThrow(
      'Buffer "x" holds 3 elements, got 4',
    );
  });
});

const title = addon === null ? `native runs, skipped: no addon: ${reason}` : 'native runs';
describe.skipIf(addon === null)(title, () => {
  it('refuse a second run on a store, and reading it meanwhile', async () => {
    const store = native();
    const program = counter(store, 1 << 20);
    const first = program.run(moments(20));
    expect(() => store.read('x')).toThrow('a program is running on this store');
    expect(() => program.runSync(moments(1))).toThrow('a program is running on this store');
    await expect(program.run(moments(1))).rejects.toMatchObject({ code: 'FLATMIN_BUSY' });
    expect((await first).steps).toBe(20);
    expect(store.read('x')[0]).toBe(20);
  });

  it('of several stores go on side by side', async () => {
    const runs = Array.from({ length: 4 }, () => counter(native(), 1 << 14).run(moments(200)));
    for (const { reports } of await Promise.all(runs)) expect(reports[199]).toBe(200);
  });

  it('survive the end of their worker in mid-run', async () => {
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      const { Store, Program } = require(workerData);
      const store = new Store('', 2);
      const type = { dtype: 'f32', shape: [1 << 22] };
      store.declare('x', type);
      const spec = {
        buffers: [{ ...type, place: { kind: 'store', key: 'x' } }],
        instructions: [{ op: 'affine', inputs: [0], outputs: [0], attrs: { scale: 1, shift: 1 }, section: 0 }],
        arenaBytes: 0, slots: ['step'], sections: ['step'], reports: [], status: -1, phases: [0],
      };
      new Program(spec, store).run(new Float64Array(1e6), [], -1, new Float32Array(0));
      parentPort.postMessage('running');
    `;
    const worker = new Worker(code, { eval: true, workerData: addonPath });
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    expect(await worker.terminate()).toBe(1);
    expect((await counter(native()).run(moments(2))).steps).toBe(2);
  });

  it('refuse programs that do not fit, without a crash', () => {
    const handle = new (addon as NonNullable<typeof addon>).Store('', 1);
    const Program = (addon as NonNullable<typeof addon>).Program;
    const spec = {
      buffers: [
        { dtype: 'f32' as const, shape: [4], place: { kind: 'arena' as const, offset: 64 } },
      ],
      instructions: [],
      arenaBytes: 64,
      slots: ['step'],
      sections: ['step'],
      reports: [],
      status: -1,
      phases: [0],
    };
    expect(() => new Program(spec, handle)).toThrow('buffer outside the arena');
    const unknown = {
      ...spec,
      buffers: [],
      instructions: [{ op: 'nothing', inputs: [], outputs: [], attrs: {}, section: 0 }],
    };
    expect(() => new Program(unknown, handle)).toThrow('op nothing is not known');
  });
});

const cudaTitle = `CUDA devices${emulation.missing === null ? '' : `, skipped: ${emulation.missing}`}`;
describe.skipIf(emulation.missing !== null)(cudaTitle, () => {
  it('work side by side, several programs on each', async () => {
    const stores = (['cuda-emulated', 'cuda-emulated:1', 'cuda-emulated'] as const).map((device) =>
      openStore({ device }),
    );
    const programs = stores.map((store) => counter(store, 33));
    const runs = programs.map((program, i) => program.run(moments(20 + i)));
    const results = await Promise.all(runs);
    expect(results.map(({ reports }) => reports.at(-1))).toEqual([20, 21, 22]);
    // A second program of a store goes on with its buffers.
    expect(counter(stores[1], 33).runSync(moments(2)).reports[1]).toBe(23);
  });

  it('update the arrays of their caller', () => {
    const w = { data: Float32Array.of(1, 2, 3), shape: [3] };
    const optimizer = sgd({ w }, { lr: 0.5, device: 'cuda-emulated:1' });
    for (let step = 0; step < 4; step++) optimizer.step({ w: Float32Array.of(1, 0, -1) });
    expect([...w.data]).toEqual([-1, 2, 5]);
  });
});

describe('openStore', () => {
  const refusal = (device: string) => {
    try {
      openStore({ device: device as 'cuda' });
      return 'there';
    } catch (error) {
      return `${(error as FlatminError).code}: ${(error as FlatminError).message}`;
    }
  };

  it('refuses a device that was named and is not there', () => {
    if (addon?.cuda.reason === null) return expect(refusal('cuda')).toBe('there');
    expect(refusal('cuda')).toMatch(
      /^FLATMIN_DEVICE: Device "cuda" is not there: .+\. Help: .+\.$/,
    );
    expect(refusal('cuda:1')).toMatch(/^FLATMIN_DEVICE: Device "cuda:1" is not there: /);
  });

  const counts = `counts devices from 0${emulation.missing === null ? '' : `, skipped: ${emulation.missing}`}`;
  it.skipIf(emulation.missing !== null)(counts, () => {
    expect(openStore({ device: 'cuda-emulated:1' }).backend).toBe('cuda-emulated');
    expect(refusal('cuda-emulated:2')).toMatchInlineSnapshot(
      `"FLATMIN_DEVICE: Device "cuda-emulated:2" is not there: there are 2 CUDA devices, counted from 0. Help: run "npx flatmin doctor", or use "cpu" or "auto"."`,
    );
  });

  it('says where the emulation is looked for', () => {
    const path = process.env.FLATMIN_CUDA_EMULATION;
    delete process.env.FLATMIN_CUDA_EMULATION;
    expect(refusal('cuda-emulated')).toMatchInlineSnapshot(
      `"FLATMIN_DEVICE: Device "cuda-emulated" is not there: it needs the compiled addon: emulation: FLATMIN_CUDA_EMULATION does not say where it is."`,
    );
    if (path !== undefined) process.env.FLATMIN_CUDA_EMULATION = path;
  });

  it('refuses names that are none', () => {
    expect(refusal('gpu')).toMatchInlineSnapshot(
      `"FLATMIN_ARGUMENT: device must be one of auto, js, cpu, cuda, cuda:1, …, got "gpu""`,
    );
    for (const name of ['cuda:', 'cuda:-1', 'cuda:01', 'cuda:x', 'cuda:1.5', 'cpu:1'])
      expect(refusal(name)).toContain('FLATMIN_ARGUMENT');
    expect(() => openStore({ device: 'cpu', threads: 0 })).toThrow(
      addon === null ? 'needs the compiled addon' : 'threads must be a whole number from 1 to 1024',
    );
  });
});
