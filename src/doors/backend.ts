import { checkNames, checkText } from '../arguments.ts';
import type { BackendName } from '../backend/backend.ts';
import { type DeviceOptions, openStore } from '../backend/device.ts';
import { type Addon, loadAddon } from '../backend/native/addon.ts';
import { NativeStore } from '../backend/native/store.ts';

/** What does the work, and why nothing faster does. */
export interface BackendInfo {
  readonly device: BackendName;
  /** Of the CPU's kernels `amx`, `avx512bf16`, `avx512`, `avx2` or `portable`; on CUDA the device; null for JavaScript. */
  readonly isa: string | null;
  /** CPU threads that kernels may use. */
  readonly threads: number;
  /** The file that the compiled kernels are in; null for JavaScript. */
  readonly path: string | null;
  /** What stands in the way of something faster, and what to do about it; empty where nothing does. */
  readonly whyNotBetter: readonly string[];
}

/**
 * What `device` and `threads`, by default `auto` and every core, come to on this machine. `FLATMIN_DEVICE` where the device
 * that they name is not there.
 */
export function backend(options: DeviceOptions = {}): BackendInfo {
  checkNames('backend', options, { device: true, threads: true });
  if (options.device !== undefined) checkText('device', options.device);
  const store = openStore(options);
  const loaded = loadAddon();
  const native = store instanceof NativeStore;
  return {
    device: store.backend,
    isa: native ? store.isa : null,
    threads: store.threads,
    path: native ? loaded.path : null,
    whyNotBetter:
      store.backend === 'js' ? whyJavaScript(options) : whyThisNative(store.backend, loaded.addon),
  };
}

function whyJavaScript({ device }: DeviceOptions): string[] {
  if (device === 'js') return ['device "js" was asked for'];
  const { attempts, remedy } = loadAddon();
  const tried = attempts.map(({ name, reason }) => `${name}: ${reason}`);
  return remedy === null ? tried : [...tried, `help: ${remedy}`];
}

function whyThisNative(device: BackendName, addon: Addon | null): string[] {
  if (device !== 'cpu' || addon === null) return [];
  const forced = process.env.FLATMIN_ISA;
  const { reason } = addon.cuda;
  return [
    ...(forced
      ? [`instruction set: FLATMIN_ISA is "${forced}"; this processor has ${addon.isa}`]
      : []),
    reason === null
      ? 'CUDA: there is a device, which "auto" does not choose; help: device: "cuda"'
      : `CUDA: ${reason}`,
  ];
}
