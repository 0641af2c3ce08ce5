import { FlatminError } from '../errors.ts';

/** Reads or writes a file or folder that a user named; what goes wrong says which. */
export function attempt<T>(verb: 'read' | 'write', path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    if (cause instanceof FlatminError) throw cause;
    const code = verb === 'read' ? 'FLATMIN_DATA' : 'FLATMIN_IO';
    throw new FlatminError(code, `Cannot ${verb} ${path}: ${(cause as Error).message}`, { cause });
  }
}
