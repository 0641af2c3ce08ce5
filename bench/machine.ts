import { spawnSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { loadAddon } from '#flatmin/backend/native/addon';
import { cores } from './flatmin.ts';

/** Where and from what sources figures came. */
export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly platform: string;
  readonly node: string;
  /** Instruction set of the native kernels. */
  readonly isa: string;
  readonly flatmin: string;
  /** null outside a git checkout. */
  readonly commit: string | null;
  /** Whether the checkout had changes that are not in `commit`. */
  readonly dirty: boolean | null;
}

export function describeMachine(): Machine {
  const { addon, reason } = loadAddon();
  if (addon === null) throw new Error(`The benchmarks need the native addon: ${reason}`);
  const commit = git('rev-parse', 'HEAD');
  const changes = git('status', '--porcelain');
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0].model,
    cores,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
    isa: process.env.FLATMIN_ISA ?? addon.isa,
    flatmin: addon.version,
    commit,
    dirty: changes === null ? null : changes !== '',
  };
}

function git(...args: string[]): string | null {
  const { status, stdout } = spawnSync('git', args, { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}
