import { availableParallelism } from 'node:os';
import { FlatminError } from '../errors.ts';
import type { Store } from './backend.ts';
import { JsStore } from './js/store.ts';
import { loadAddon } from './native/addon.ts';
import { NativeStore } from './native/store.ts';

export const DEVICES = ['auto', 'js', 'cpu', 'cuda'] as const;

/** `auto` takes the best there is; a device that is named must be there. */
export type DeviceName = (typeof DEVICES)[number];

export interface DeviceOptions {
  /** Default `auto`. */
  device?: DeviceName;
  /** CPU threads; default the environment's FLATMIN_THREADS, else every core. */
  threads?: number;
}

/** A store on a device; `FLATMIN_DEVICE` when the one that was named is not there. */
export function openStore({ device = 'auto', threads }: DeviceOptions = {}): Store {
  switch (device) {
    case 'js':
      return new JsStore();
    case 'auto':
    case 'cpu': {
      const { addon, reason, remedy } = loadAddon();
      if (addon !== null) {
        return new NativeStore(addon, {
          threads: threadCount(threads),
          isa: process.env.FLATMIN_ISA,
        });
      }
      if (device === 'auto') return new JsStore();
      throw new FlatminError(
        'FLATMIN_DEVICE',
        `Device "cpu" needs the compiled addon: ${reason}.${remedy === null ? '' : ` Help: ${remedy}.`}`,
      );
    }
    case 'cuda':
      throw new FlatminError(
        'FLATMIN_DEVICE',
        'Device "cuda" has no kernels in this version of flatmin. Help: use "cpu" or "auto".',
      );
    default:
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `device must be one of ${DEVICES.join(', ')}, got ${JSON.stringify(device)}`,
      );
  }
}

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
      `${source} must be a whole number from 1 to 1024, got ${value}`,
    );
  }
  return value;
}
