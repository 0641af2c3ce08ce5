import { z } from 'zod';
import { version } from '../../scripts/record.mjs';
import { commit, machine } from '../study/provenance.ts';
import { commandLine } from './words.ts';

export const originSchema = z.object({
  command: z.string(),
  machine: z.string(),
  /** Of flatmin, with the commit where it is a clone. */
  version: z.string(),
});

/** Where numbers come from. */
export type Origin = Readonly<z.output<typeof originSchema>>;

let known: Origin | undefined;

/** Of this process. */
export function origin(): Origin {
  const parts = () => [version, commit()].filter((part) => part !== null);
  known ??= { command: commandLine(), machine: machine(), version: parts().join(', ') };
  return known;
}
