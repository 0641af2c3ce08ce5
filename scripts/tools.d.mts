export interface Tools {
  compiler: string | null;
  make: string | null;
  ninja: string | null;
  python: string | null;
  cmake: string | null;
  nvcc: string | null;
  nodeGyp: string | null;
  cmakeJs: string | null;
  addonApi: string | null;
}

export function findTools(): Tools;
export function cudaArchitectures(tools: Tools, env?: NodeJS.ProcessEnv): string | null;
export function headersFolder(): string | null;
export function toolVersion(path: string): string | null;
