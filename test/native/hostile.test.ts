/** The addon's own doors, called with what is not theirs: an error with a code, and nothing else. */
import { describe, expect, it } from 'vitest';
import { loadAddon } from '../../src/backend/native/addon.ts';
import type { NativeExecutor } from '../../src/backend/native/handles.ts';

const { addon, reason } = loadAddon();
const { Store, Program } = (addon ?? {}) as NativeExecutor;

const type = { dtype: 'f32' as const, shape: [4] };
const spec = {
  buffers: [{ ...type, place: { kind: 'bound' as const, key: 'x' } }],
  instructions: [
    { op: 'affine', inputs: [0], outputs: [0], attrs: { scale: 1, shift: 1 }, section: 0 },
  ],
  arenaBytes: 0,
  slots: ['step'],
  sections: ['step'],
  reports: [],
  status: -1,
  phases: [0],
};

/** A code and a message. */
function refusal(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    return `${(error as { code?: string }).code}: ${(error as Error).message}`;
  }
  return 'none';
}

const add = (x: unknown, rows: unknown = new Float64Array(1)) => {
  const program = new Program(spec, new Store('', 1));
  const run = [rows, x, -1, new Float32Array(0), new Int32Array(2)];
  return refusal(() => program.runSync(...(run as Parameters<typeof program.runSync>)));
};

describe.skipIf(addon === null)(`the addon${reason === null ? '' : `, skipped: ${reason}`}`, () => {
  it('takes its own stores alone', () => {
    const program = new Program(spec, new Store('', 1));
    for (const other of [program, {}, null, 1, Object.create(Store.prototype)])
      expect(refusal(() => new Program(spec, other as never))).toMatch(
        'FLATMIN_ARGUMENT: the store must be a Store',
      );
    const { declare } = Store.prototype;
    expect(refusal(() => declare.call(program as never, 'x', type))).toContain('invocation');
  });

  it('takes arrays of the right kind and size', () => {
    expect(add([new Float32Array(4)])).toBe('none');
    const wrong = 'FLATMIN_ARGUMENT: a bound array must be a Float32Array';
    for (const x of [
      new Int32Array(4),
      new Uint8Array(16),
      [1, 2, 3, 4],
      null,
      new DataView(new ArrayBuffer(16)),
    ])
      expect(add([x])).toBe(wrong);
    expect(add([new Float32Array(3)])).toBe(
      'FLATMIN_ARGUMENT: a bound array was resized or detached',
    );
    expect(add([], null)).toContain('FLATMIN_ARGUMENT');
    expect(add([new Float32Array(4)], new Float32Array(1))).toBe(
      'FLATMIN_ARGUMENT: rows must be a Float64Array',
    );
    expect(add({ length: 1, 0: new Float32Array(4) })).toContain('FLATMIN_ARGUMENT');
  });

  it('looks at arrays after the last getter has run', () => {
    const rows = new Float64Array(1 << 16);
    const x = new Float32Array(4);
    const list = Object.defineProperty([], 0, {
      get: () => {
        structuredClone(rows.buffer, { transfer: [rows.buffer] });
        structuredClone(x.buffer, { transfer: [x.buffer] });
        return x;
      },
    });
    expect(add(list, rows)).toBe('FLATMIN_ARGUMENT: a bound array was resized or detached');
  });

  it('runs no program that was freed, and frees none within its run', () => {
    const program = new Program(spec, new Store('', 1));
    const run = (list: unknown) =>
      refusal(() =>
        program.runSync(
          ...([new Float64Array(1), list, -1, new Float32Array(0), new Int32Array(2)] as Parameters<
            typeof program.runSync
          >),
        ),
      );
    const x = new Float32Array(4);
    const list = Object.defineProperty([], 0, {
      get: () => {
        program.free();
        return x;
      },
    });
    expect(run(list)).toBe('none');
    expect([...x]).toEqual([1, 1, 1, 1]);
    program.free();
    program.free();
    expect(run([x])).toBe('FLATMIN_ARGUMENT: a run of a program that was freed');
    program.abort();
    expect(program.progress(new Float32Array(0))).toBe(undefined);
  });

  it('copies a program before it is verified', () => {
    let asked = 0;
    const sly = {
      ...spec,
      get phases() {
        return asked++ === 0 ? [0] : [1000];
      },
    };
    const program = new Program(sly, new Store('', 1));
    const x = new Float32Array(4);
    program.runSync(new Float64Array(1), [x], 0, new Float32Array(0), new Int32Array(2));
    expect([asked, ...x]).toEqual([1, 1, 1, 1, 1]);
  });

  it('refuses what a program cannot be', () => {
    const load = (change: object) =>
      refusal(() => new Program({ ...spec, ...change } as never, new Store('', 1)));
    expect(load({})).toBe('none');
    for (const change of [
      { slots: [] },
      { sections: [] },
      { phases: [2] },
      { phases: [1, 0] },
      { status: 0 },
      { reports: [0] },
      { reports: [7] },
      { arenaBytes: -1 },
      { buffers: [] },
      {
        buffers: [
          { dtype: 'f32', shape: [2 ** 40, 0, 2 ** 40], place: { kind: 'bound', key: 'x' } },
        ],
      },
      { buffers: [{ ...type, place: { kind: 'arena', offset: 64 } }] },
    ])
      expect(load(change), JSON.stringify(change)).toMatch(/^FLATMIN_(PROGRAM|MEMORY): /);
  });
});
