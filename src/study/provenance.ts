import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { root, version } from '../../scripts/record.mjs';
import { loadAddon } from '../backend/native/addon.ts';
import type { Provenance } from './study-folder.ts';

/** Where and by what a run of now is made. */
export function provenanceOf(backend: string, threads: number): Provenance {
  const { status, stdout } = spawnSync('git', ['-C', root, 'rev-parse', '--short', 'HEAD'], {
    encoding: 'utf8',
  });
  const isa = process.env.FLATMIN_ISA ?? loadAddon().addon?.isa;
  const processors = cpus();
  return {
    date: new Date().toISOString(),
    machine: `${processors[0]?.model ?? process.arch}, ${processors.length} cores, Node ${process.versions.node}`,
    threads,
    backend: backend === 'cpu' && isa !== undefined ? `cpu (${isa})` : backend,
    flatmin: version,
    commit: status === 0 ? stdout.trim() : null,
  };
}
