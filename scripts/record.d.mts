export interface BuildRecord {
  version: string;
  platform: string;
  /** Of the sources that were built. */
  hash: string;
  /** The best route the machine offered, and the one that was taken in the end. */
  wanted: string;
  builder: 'cmake' | 'gyp' | 'js';
  /** Architectures of the CUDA kernels, "90" or "80;90"; null or absent where there are none. */
  cuda?: string | null;
  /** Why it is not the best route, or no native build. */
  reason: string | null;
  remedy: string | null;
}

export const root: string;
export const addonPath: string;
export const version: string;
export function readRecord(): BuildRecord | null;
export function sourcesHash(): string;
