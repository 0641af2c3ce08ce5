import { isRegExp, wrongArgument } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import type { Description, ParameterSpec } from '../nn/layer.ts';

/** A name, in which `*` stands for any text, or what is found in names. */
export type NamePattern = string | RegExp;

/** What of a model is trained, and the names of all tensors that are not. */
export interface Parts {
  readonly trained: readonly ParameterSpec[];
  readonly frozen: ReadonlySet<string>;
}

/** Divides a model's tensors; `FLATMIN_ARGUMENT` for a pattern that fits none of them, or where nothing is left to train. */
export function freeze(
  { params, buffers }: Pick<Description, 'params' | 'buffers'>,
  patterns: readonly NamePattern[] = [],
): Parts {
  const names = [...params, ...buffers].map(({ name }) => name);
  const frozen = new Set<string>();
  for (const pattern of patterns) {
    const found = names.filter((name) => matches(pattern, name));
    if (found.length === 0) {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `frozen: ${isRegExp(pattern) ? pattern : `"${pattern}"`} is no name; there are ${listed(names)}`,
      );
    }
    for (const name of found) frozen.add(name);
  }
  const trained = params.filter(({ name }) => !frozen.has(name));
  if (trained.length > 0 || params.length === 0) return { trained, frozen };
  throw new FlatminError('FLATMIN_ARGUMENT', 'frozen leaves no parameter to train');
}

/** Throws unless these are patterns. */
export function checkPatterns(patterns: unknown): void {
  if (!Array.isArray(patterns)) {
    throw wrongArgument('frozen', 'a list of names and RegExps', patterns, "['embedding.*'].");
  }
  for (const pattern of patterns) {
    if (typeof pattern === 'string' || isRegExp(pattern)) continue;
    throw wrongArgument('A pattern of frozen', 'a name or a RegExp', pattern);
  }
}

function matches(pattern: NamePattern, name: string): boolean {
  if (typeof pattern !== 'string') return name.search(pattern) !== -1;
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(name);
}

const listed = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');
