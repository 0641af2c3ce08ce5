import { spawnSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { loadAddon } from '#flatmin/backend/native/addon';
import { cores } from './flatmin.ts';

/** Where figures came from. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly platform: string;
  readonly node: string;
  /** Instruction set of the native kernels. */
  readonly isa: string;
}

/** When figures were measured, and from what. */
export interface Sources {
  readonly date: string;
  readonly flatmin: string | null;
  /** null outside a git checkout. */
  readonly commit: string | null;
  /** Whether the checkout had changes that are not in `commit`. */
  readonly dirty: boolean | null;
}

export function describeMachine(): Machine {
  const { addon, reason } = loadAddon();
  if (addon === null) throw new Error(`The benchmarks need the native addon: ${reason}`);
  return {
    cpu: cpus()[0].model,
    cores,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
    isa: process.env.FLATMIN_ISA ?? addon.isa,
  };
}

export function describeSources(): Sources {
  const commit = git('rev-parse', 'HEAD');
  // Its own results are no change of what was measured.
  const changes = git('status', '--porcelain', '--', '.', ':!bench/results');
  return {
    date: new Date().toISOString(),
    flatmin: loadAddon().addon?.version ?? null,
    commit,
    dirty: changes === null ? null : changes !== '',
  };
}

function git(...args: string[]): string | null {
  const { status, stdout } = spawnSync('git', args, { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}
