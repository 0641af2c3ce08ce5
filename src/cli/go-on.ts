import { FlatminError } from '../errors.ts';
import { quoted } from './words.ts';

/** What was stopped, with the command that goes on with it. */
export function howToGoOn(
  error: FlatminError,
  { out, resume }: { readonly out?: string; readonly resume?: boolean },
): FlatminError {
  const words = [...process.argv.slice(2), ...(resume ? [] : ['--resume'])].map(quoted);
  const help =
    out === undefined
      ? 'nothing was kept, as no --out was given'
      : `go on with: flatmin ${words.join(' ')}`;
  return new FlatminError('FLATMIN_ABORTED', `${error.message}; help: ${help}`, { cause: error });
}
