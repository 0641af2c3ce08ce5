import { describe, expect, it } from 'vitest';
import type { CudaReport } from '../../src/backend/native/addon.ts';
import { cudaState } from '../../src/cli/cuda-state.ts';

const compiled: CudaReport = {
  compiled: true,
  toolkit: '13.0',
  driver: '13.0',
  devices: [{ name: 'NVIDIA H200', memory: 139 * 2 ** 30, capability: '9.0' }],
  reason: null,
  blas: '/usr/lib/libcublas.so.13',
  blasReason: null,
};
const without: CudaReport = {
  compiled: false,
  toolkit: null,
  driver: null,
  devices: [],
  reason: 'this build has no CUDA kernels',
  blas: null,
  blasReason: 'this build has no CUDA kernels',
};

describe('the doctor on CUDA', () => {
  it('tells a toolkit without a driver from neither', () => {
    expect(cudaState(null, { nvcc: null, driver: null }).message).toBe('no toolkit, no driver');
    expect(cudaState(without, { nvcc: null, driver: null }).state).toBe('absent');
    const built = { ...compiled, driver: null, devices: [], reason: 'insufficient driver' };
    expect(cudaState(built, { nvcc: '13.0', driver: null }).message).toBe(
      'toolkit (13.0) but no driver',
    );
    expect(cudaState(without, { nvcc: '13.0', driver: null }).state).toBe('no-driver');
  });

  it('names what a driver lacks', () => {
    const noToolkit = cudaState(without, { nvcc: null, driver: '580.65' });
    expect(noToolkit.message).toBe(
      'driver (580.65), no toolkit, but no CUDA kernels in this build',
    );
    expect(noToolkit.remedy).toContain('the CUDA toolkit (nvcc) and CMake');
    const noCMake = cudaState(null, { nvcc: '12.8', driver: '580.65' });
    expect(noCMake.message).toContain('toolkit (12.8)');
    expect(noCMake.remedy).toContain('install CMake');
  });

  it('passes on why a driver runs nothing', () => {
    const reason = 'CUDA driver version is insufficient for CUDA runtime version';
    const old = { ...compiled, driver: '12.2', devices: [], reason };
    const { state, message } = cudaState(old, { nvcc: '13.0', driver: null });
    expect(state).toBe('unusable');
    expect(message).toBe(`driver (up to CUDA 12.2), toolkit (13.0), but ${reason}`);
  });

  it('lists the devices', () => {
    const { state, message } = cudaState(compiled, { nvcc: null, driver: null });
    expect(state).toBe('ready');
    expect(message).toBe('1 device: NVIDIA H200 (139 GiB, capability 9.0)');
  });
});
