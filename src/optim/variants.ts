import { unknownOption } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import type { Optimizer } from '../step/bound.ts';

export type Options = Readonly<Record<string, unknown>>;

/** A method under a name of the command line, made of one flat object of options. */
export interface Variant {
  /** Names of what may be set. */
  readonly options: readonly string[];
  /** The optimizer; what is not given is as the variant has it. `FLATMIN_ARGUMENT` says what does not fit. */
  make(given?: Options): Optimizer;
  /** All options with their values, of which `make` makes the same optimizer. */
  settings(given?: Options): Options;
}

export type Variants<N extends string> = Readonly<Record<N, Variant>>;

/** What the catalogue tells of a method. */
export interface Entry<N extends string = string> {
  /** Its name for people. */
  readonly title: string;
  /** One step of it. */
  readonly equation: string;
  /** By their names on the command line. */
  readonly variants: Variants<N>;
}

/** What takes some of a variant's options: the method itself, its base, a member of its groups. */
export interface Part {
  readonly optionNames: readonly string[];
  /** Its options with all defaults filled in. */
  resolve(own: Options): Options;
}

/** Variants by name, each with what it sets; an option goes to every part that has one of its name. */
export function variantsOf<N extends string>(
  presets: Readonly<Record<N, Options>>,
  parts: readonly Part[],
  make: (...own: Options[]) => Optimizer,
): Variants<N> {
  const options = [...new Set(parts.flatMap(({ optionNames }) => optionNames))];
  const variant = (name: string, preset: Options): Variant => {
    const split = (given: Options): Options[] => {
      const unknown = Object.keys(given).find((key) => !options.includes(key));
      if (unknown !== undefined) {
        throw new FlatminError('FLATMIN_ARGUMENT', `${name}: ${unknownOption(unknown, options)}`);
      }
      const all = Object.entries({ ...preset, ...given });
      return parts.map(({ optionNames }) =>
        Object.fromEntries(all.filter(([key]) => optionNames.includes(key))),
      );
    };
    return {
      options,
      make: (given = {}) => make(...split(given)),
      settings: (given = {}) => {
        const own = split(given);
        return Object.assign({}, ...parts.map((part, i) => part.resolve(own[i])));
      },
    };
  };
  const entries = Object.entries<Options>(presets);
  return Object.fromEntries(
    entries.map(([name, preset]) => [name, variant(name, preset)]),
  ) as Variants<N>;
}
