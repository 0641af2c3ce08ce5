import type { CudaReport } from '../backend/native/addon.ts';

/** What was found outside the addon: the version of nvcc, of the NVIDIA driver. */
export interface CudaTools {
  readonly nvcc: string | null;
  readonly driver: string | null;
}

export interface CudaState {
  readonly state: 'absent' | 'no-driver' | 'not-compiled' | 'unusable' | 'ready';
  readonly message: string;
  readonly remedy: string | null;
}

/** Tells apart what a machine lacks for CUDA; `report` is null without an addon. */
export function cudaState(report: CudaReport | null, tools: CudaTools): CudaState {
  if (report?.compiled) return compiledState(report);
  const { nvcc, driver } = tools;
  if (nvcc === null && driver === null)
    return { state: 'absent', message: 'no toolkit, no driver', remedy: null };
  if (driver === null)
    return {
      state: 'no-driver',
      message: `toolkit (${nvcc}) but no driver, and no CUDA kernels in this build`,
      remedy:
        'install an NVIDIA driver, then run "npx flatmin build", or build for other machines: ' +
        '"FLATMIN_CUDA=all npx flatmin build"',
    };
  const found = nvcc === null ? 'no toolkit' : `toolkit (${nvcc})`;
  const lacking = nvcc === null ? 'the CUDA toolkit (nvcc) and CMake' : 'CMake';
  return {
    state: 'not-compiled',
    message: `driver (${driver}), ${found}, but no CUDA kernels in this build`,
    remedy: `install ${lacking}, then run "npx flatmin build"`,
  };
}

function compiledState({ toolkit, driver, devices, reason }: CudaReport): CudaState {
  if (driver === null)
    return {
      state: 'no-driver',
      message: `toolkit (${toolkit}) but no driver`,
      remedy: 'install an NVIDIA driver; in a container start it with --gpus all',
    };
  if (reason !== null)
    return {
      state: 'unusable',
      message: `driver (up to CUDA ${driver}), toolkit (${toolkit}), but ${reason}`,
      remedy: `update the driver, or build with a toolkit that it runs, or free a device`,
    };
  const names = devices.map(
    ({ name, memory, capability }) =>
      `${name} (${(memory / 2 ** 30).toFixed(0)} GiB, capability ${capability})`,
  );
  const count = `${devices.length} device${devices.length === 1 ? '' : 's'}`;
  return { state: 'ready', message: `${count}: ${names.join(', ')}`, remedy: null };
}
