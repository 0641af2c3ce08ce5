import { FlatminError } from '../errors.ts';

/** Says on stderr what went wrong and sets the exit code: 2 for wrong usage, 1 for anything else. */
export function fail(error: unknown, what = 'flatmin'): void {
  const known = error instanceof FlatminError;
  const text = known ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`${what}: ${text}\n`);
  process.exitCode = known && error.code === 'FLATMIN_ARGUMENT' ? 2 : 1;
}
