import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { addonPath } from '../../scripts/record.mjs';
import type { Store } from '../../src/backend/backend.ts';
import { openStore } from '../../src/backend/device.ts';
import { JsStore } from '../../src/backend/js/store.ts';
import { loadAddon } from '../../src/backend/native/addon.ts';
import { NativeStore } from '../../src/backend/native/store.ts';
import { compile } from '../../src/graph/compile.ts';
import { Graph } from '../../src/graph/graph.ts';
import { Program } from '../../src/graph/program.ts';
import { sum } from '../../src/ops/reduce.ts';
import { restore } from '../../src/ops/sam.ts';
import { affine } from '../../src/ops/unary.ts';

const { addon, reason } = loadAddon();
const native = (threads = 2): Store => {
  if (addon === null) throw new Error(`needs the addon: ${reason}`);
  return new NativeStore(addon, { threads });
};

/** x ← x + 1, reported; `size` elements make a step slow. */
function counter(store: Store, size = 1) {
  const graph = new Graph();
  const x = graph.stored('x', { dtype: 'f32', shape: [size] });
  restore([x], [affine(x, 1, 1)]);
  return new Program(compile(graph, { reports: [affine(sum(x), 1 / size)] }), store);
}

const moments = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ step: i + 1, epoch: 0, seed: 0, offset: 0 }));

const devices: [string, () => Store][] = [['js', () => new JsStore()]];
if (addon !== null) devices.push(['cpu', native]);

describe.each(devices)('run on %s', (_, open) => {
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
    const program = counter(store, 1 << 16);
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

  it('leaves the event loop free', async () => {
    // Timers that fire during the run are what ends it: a blocked loop would perform every step.
    let ticks = 0;
    const controller = new AbortController();
    const timer = setInterval(() => {
      ticks += 1;
      if (ticks === 3) controller.abort();
    }, 1);
    const { steps } = await counter(open(), 1 << 16).run(moments(100_000), {
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
      new Program(spec, store).run(new Float64Array(1e6), [], -1);
      parentPort.postMessage('running');
    `;
    const worker = new Worker(code, { eval: true, workerData: addonPath });
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    expect(await worker.terminate()).toBe(1);
    expect((await counter(native()).run(moments(2))).steps).toBe(2);
  });

  it('tell when memory runs out', () => {
    const type = { dtype: 'f32' as const, shape: [2 ** 50] };
    expect(() => native().declare('x', type)).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: out of memory: use a smaller batch, model or dataset]`,
    );
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
      slots: [],
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
    expect(() => new Program(unknown, handle)).toThrow('op nothing has no kernel');
  });
});

describe('openStore', () => {
  it('refuses devices that are not there or unknown', () => {
    expect(() => openStore({ device: 'cuda' })).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: Device "cuda" has no kernels in this version of flatmin. Help: use "cpu" or "auto".]`,
    );
    expect(() => openStore({ device: 'gpu' as 'cuda' })).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: device must be one of auto, js, cpu, cuda, got "gpu"]`,
    );
    expect(() => openStore({ device: 'cpu', threads: 0 })).toThrow(
      addon === null ? 'needs the compiled addon' : 'threads must be a whole number from 1 to 1024',
    );
  });
});
