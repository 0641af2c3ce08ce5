// What a build will do, and what it came to, in a line each.
import { availableParallelism } from 'node:os';
import { addonPath, logPath } from './record.mjs';

const names = { gyp: 'node-gyp, CPU only', cmake: 'cmake-js' };

// Processor seconds, about: of the CPU kernels and the rest, of any CUDA kernels, and of those of one architecture.
const CPU_SECONDS = 340;
const CUDA_SECONDS = 60;
const CUDA_SECONDS_OF_ONE = 110;

/** What takes so long, and about how long that is on this machine. */
export function describePlan({ route, cuda }) {
  const architectures = cuda ? cuda.split(';') : [];
  const seconds =
    CPU_SECONDS +
    (architectures.length > 0 ? CUDA_SECONDS + CUDA_SECONDS_OF_ONE * architectures.length : 0);
  const cores = availableParallelism();
  const minutes = Math.max(1, Math.round(seconds / cores / 60));
  const what = ['CPU kernels', ...architectures.map((name) => `CUDA kernels for sm_${name}`)];
  const time = `about ${minutes} minute${minutes === 1 ? '' : 's'} on ${cores} core${cores === 1 ? '' : 's'}`;
  return `flatmin: compiling ${what.join(', ')} (${names[route].split(',')[0]}), ${time}; log: ${logPath}`;
}

export function describeBuild({ builder, reason, remedy, fresh }) {
  const again = 'then run "npx flatmin build"';
  const why = remedy === null ? reason : `${reason}; ${remedy}, ${again}`;
  if (builder === 'js') return `flatmin: no native build, JavaScript will do the work: ${why}`;
  const state = fresh ? 'native build done' : 'native build is current';
  return `flatmin: ${state} (${names[builder]}): ${reason === null ? addonPath : why}`;
}
