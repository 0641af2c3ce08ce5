import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { root, version } from '../../scripts/record.mjs';
import { loadAddon } from '../backend/native/addon.ts';
import type { Provenance } from './study-folder.ts';

/** The processor, as the system calls it, and what runs on it. */
export function machine(): string {
  const processors = cpus();
  const model = processors[0]?.model.trim() ?? process.arch;
  return `${processors.length} × ${model}, ${process.platform}, Node ${process.versions.node}`;
}

/** Of the clone that this runs from; null where it is an installed package. */
export function commit(): string | null {
  // A package may lie within someone else's clone.
  if (!existsSync(join(root, '.git'))) return null;
  const { status, stdout } = spawnSync('git', ['-C', root, 'rev-parse', '--short', 'HEAD'], {
    encoding: 'utf8',
  });
  return status === 0 ? stdout.trim() : null;
}

/** Where and by what a run of now is made. */
export function provenanceOf(backend: string, threads: number): Provenance {
  const isa = process.env.FLATMIN_ISA ?? loadAddon().addon?.isa;
  return {
    date: new Date().toISOString(),
    machine: machine(),
    threads,
    backend: backend === 'cpu' && isa !== undefined ? `cpu (${isa})` : backend,
    flatmin: version,
    commit: commit(),
  };
}
