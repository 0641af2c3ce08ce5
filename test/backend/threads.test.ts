/** Threads of the CPU's executor: few however many stores there are, and fewer where the system starts no more. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addonPath } from '../../scripts/record.mjs';
import { findTools } from '../../scripts/tools.mjs';
import { loadAddon } from '../../src/backend/native/addon.ts';
import { sgd } from '../../src/index.ts';

const { compiler } = findTools();
const missing =
  loadAddon().reason ??
  (process.platform !== 'linux' ? 'not Linux' : compiler === null ? 'no compiler' : null);

const folder = mkdtempSync(join(tmpdir(), 'flatmin-threads-'));
const library = join(folder, 'failing-threads.so');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs code in a process in which C++ starts so many threads, with `counter(threads)` a program that adds 1 to x. */
function withThreads(limit: number, code: string) {
  const prelude = `
    const { Store, Program } = require(${JSON.stringify(addonPath)});
    const counter = (threads) => {
      const store = new Store('', threads);
      const type = { dtype: 'f32', shape: [1 << 20] };
      store.declare('x', type);
      const spec = {
        buffers: [{ ...type, place: { kind: 'store', key: 'x' } }],
        instructions: [{ op: 'affine', inputs: [0], outputs: [0], attrs: { scale: 1, shift: 1 }, section: 0 }],
        arenaBytes: 0, slots: ['step'], sections: ['step'], reports: [], status: -1, phases: [0],
      };
      const read = () => {
        const x = new Float32Array(1 << 20);
        store.read('x', new Uint8Array(x.buffer));
        return Math.min(...[x[0], x[(1 << 20) - 1]]);
      };
      return { store, program: new Program(spec, store), read };
    };
  `;
  const { stdout, stderr, status, signal } = spawnSync(process.execPath, ['-e', prelude + code], {
    encoding: 'utf8',
    timeout: 30_000,
    env: { ...process.env, LD_PRELOAD: library, FLATMIN_TEST_THREADS: String(limit) },
  });
  return { said: stdout.trim(), stderr, status, signal };
}

const step =
  'program.runSync(new Float64Array(1), [], -1, new Float32Array(0), new Int32Array(2));';

describe.skipIf(missing !== null)(
  `threads${missing === null ? '' : `, skipped: ${missing}`}`,
  () => {
    beforeAll(() => {
      const source = join(import.meta.dirname, 'failing-threads.c');
      const args = ['-x', 'c', '-shared', '-fPIC', source, '-o', library, '-ldl'];
      const { stderr, status } = spawnSync(compiler as string, args, { encoding: 'utf8' });
      expect(stderr).toBe('');
      expect(status).toBe(0);
    });

    it('are fewer where the system starts no more, and do the work', () => {
      for (const limit of [0, 1, 2]) {
        const code = `const { store, program, read } = counter(4); ${step} console.log(store.threads, read());`;
        expect(withThreads(limit, code)).toEqual({
          said: `${limit + 1} 1`,
          stderr: '',
          status: 0,
          signal: null,
        });
      }
    });

    it('of a run that cannot be started are an error, after which the store is free', () => {
      const code = `
      const { program, read } = counter(1);
      const run = () => program.run(new Float64Array(1), [], -1, new Float32Array(0));
      try { run(); } catch (error) { console.log(error.code, error.message); }
      ${step}
      console.log(read());
    `;
      const { said, status } = withThreads(0, code);
      expect(status).toBe(0);
      expect(said).toMatch(
        /^FLATMIN_MEMORY The system starts no thread for a run: .+\. Help: raise its limit .+\n1$/,
      );
    });

    it('are shared by optimizers, of which those that were dropped keep none', () => {
      const count = () => readdirSync('/proc/self/task').length;
      const optimizer = () => {
        const params = { w: { data: new Float32Array(8), shape: [8] } };
        return sgd(params, { lr: 0.1, device: 'cpu', threads: 5 }).step({ w: new Float32Array(8) });
      };
      optimizer();
      const before = count();
      for (let i = 0; i < 200; i++) optimizer();
      expect(count()).toBeLessThanOrEqual(before);
    });
  },
);
