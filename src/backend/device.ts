import { availableParallelism } from 'node:os';
import { show } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import type { Store } from './backend.ts';
import { JsStore } from './js/store.ts';
import { type LoadedAddon, loadAddon, loadEmulation } from './native/addon.ts';
import { NativeStore } from './native/store.ts';

/** What `device` may be: the best there is, the CPU's kernels, a CUDA card, or plain JavaScript. */
export const DEVICES = ['auto', 'js', 'cpu', 'cuda'] as const;

/**
 * Where the work is done; a device that is named must be there.
 *
 * - `auto`: the CPU by compiled kernels, or by JavaScript where there are none
 * - `js`, `cpu`: one of these
 * - `cuda`, `cuda:1`: a CUDA device, the first without a number. `auto` does not choose it
 * - `cuda-emulated`: the CUDA kernels on the CPU, slowly, for flatmin's own tests
 */
export type DeviceName =
  | (typeof DEVICES)[number]
  | `cuda:${number}`
  | 'cuda-emulated'
  | `cuda-emulated:${number}`;

export interface DeviceOptions {
  /** Where the work is done: `auto` is the best kernels there are on the CPU. Default `auto`. */
  device?: DeviceName;
  /** CPU threads; default the environment's FLATMIN_THREADS, else every core. */
  threads?: number;
}

const CUDA = /^(cuda|cuda-emulated)(?::(0|[1-9]\d{0,3}))?$/;

export const isDeviceName = (text: string): text is DeviceName =>
  (DEVICES as readonly string[]).includes(text) || CUDA.test(text);

/** A store on a device; `FLATMIN_DEVICE` when the one that was named is not there. */
export function openStore({ device = 'auto', threads }: DeviceOptions = {}): Store {
  if (!isDeviceName(device)) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `device must be one of ${DEVICES.join(', ')}, cuda:1, …, got ${JSON.stringify(device)}`,
    );
  }
  const cuda = CUDA.exec(device);
  if (cuda !== null) return openCuda(device, cuda[1] as 'cuda' | 'cuda-emulated', cuda[2] ?? '0');
  if (device === 'js') return new JsStore();
  const loaded = loadAddon();
  if (loaded.addon !== null) {
    const where = process.env.FLATMIN_ISA ?? '';
    return new NativeStore(loaded.addon, { backend: 'cpu', where, threads: threadCount(threads) });
  }
  if (device !== 'auto') throw needsAddon(device, loaded);
  sayWhyJavaScript(loaded);
  return new JsStore();
}

let said = false;

/** Once a process: on a slow path that nobody asked for. */
function sayWhyJavaScript({ reason, remedy }: LoadedAddon): void {
  if (said) return;
  said = true;
  process.stderr.write(
    `flatmin: no native kernels (${reason}), JavaScript does the work, some fifty times as slowly; ` +
      `help: ${remedy === null ? '' : `${remedy}; `}device "js" asks for it without this line\n`,
  );
}

function openCuda(device: DeviceName, backend: 'cuda' | 'cuda-emulated', number: string): Store {
  const loaded = backend === 'cuda' ? loadAddon() : loadEmulation();
  if (loaded.addon === null) throw needsAddon(device, loaded);
  try {
    return new NativeStore(loaded.addon, { backend, where: `cuda:${number}`, threads: 1 });
  } catch (error) {
    if (!(error instanceof FlatminError) || error.code !== 'FLATMIN_DEVICE') throw error;
    throw notThere(device, error.message, 'run "npx flatmin doctor", or use "cpu" or "auto"');
  }
}

const needsAddon = (device: string, { reason, remedy }: LoadedAddon) =>
  notThere(device, `it needs the compiled addon: ${reason}`, remedy);

const notThere = (device: string, why: string, remedy: string | null) =>
  new FlatminError(
    'FLATMIN_DEVICE',
    `Device "${device}" is not there: ${why}.${remedy === null ? '' : ` Help: ${remedy}.`}`,
  );

function threadCount(given: number | undefined): number {
  const [value, source] =
    given !== undefined
      ? [given, 'threads']
      : process.env.FLATMIN_THREADS
        ? [Number(process.env.FLATMIN_THREADS), 'FLATMIN_THREADS']
        : [availableParallelism(), 'cores'];
  if (!Number.isInteger(value) || value < 1 || value > 1024) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `${source} must be a whole number from 1 to 1024, got ${show(value)}`,
    );
  }
  return value;
}
