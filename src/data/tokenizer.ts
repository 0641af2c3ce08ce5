import { checkText, isInt32Array, wrongArgument } from '../arguments.ts';

/** What stands for a character that a tokenizer does not know, and for bytes that are no UTF-8. */
const REPLACEMENT = '\uFFFD';

/** Texts as token numbers, and back. */
export interface Tokenizer {
  /** Numbers that it gives: rows of an embedding. */
  readonly size: number;
  /** Token numbers of a text. */
  encode(text: string): Int32Array;
  /** The text of token numbers; `FLATMIN_ARGUMENT` for one that is none of `size`. */
  decode(tokens: ArrayLike<number>): string;
  /** As it is kept with a model; `tokenizerFrom` reads it. */
  toJSON(): TokenizerJSON;
}

/** A tokenizer in JSON. */
export type TokenizerJSON =
  | { readonly kind: 'characters'; readonly characters: string }
  | { readonly kind: 'bytes' };

/** A token a character (Unicode code point) of those that it knows, from 1 in the order of the list; 0 is any other. */
export class CharacterTokenizer implements Tokenizer {
  /** Those that it knows, one after the other. */
  readonly characters: string;
  readonly #list: readonly string[];
  readonly #numbers: ReadonlyMap<string, number>;

  /** `FLATMIN_ARGUMENT` where a character stands twice. */
  constructor(characters: string) {
    checkText('The characters of a tokenizer', characters);
    this.characters = characters;
    this.#list = [REPLACEMENT, ...characters];
    this.#numbers = new Map(this.#list.map((character, i) => [character, i]));
    if (this.#numbers.size === this.#list.length) return;
    throw wrongArgument(
      'The characters of a tokenizer',
      `each once, and not ${REPLACEMENT}, which stands for all others`,
      characters,
    );
  }

  /** Of the characters of a text, in the order of their code points. */
  static of(text: string): CharacterTokenizer {
    checkText('The text of a tokenizer', text);
    const seen = new Set(text);
    seen.delete(REPLACEMENT);
    const code = (character: string) => character.codePointAt(0) as number;
    return new CharacterTokenizer([...seen].sort((a, b) => code(a) - code(b)).join(''));
  }

  get size(): number {
    return this.#list.length;
  }

  encode(text: string): Int32Array {
    checkText('The text to encode', text);
    return Int32Array.from(text, (character) => this.#numbers.get(character) ?? 0);
  }

  /** What it does not know comes back as U+FFFD. */
  decode(tokens: ArrayLike<number>): string {
    checkTokens(tokens, this.size);
    return Array.from(tokens, (token) => this.#list[token]).join('');
  }

  toJSON(): TokenizerJSON {
    return { kind: 'characters', characters: this.characters };
  }
}

/** A token a byte of the text in UTF-8: 256 of them, to which no text is unknown. */
export class ByteTokenizer implements Tokenizer {
  get size(): number {
    return 256;
  }

  encode(text: string): Int32Array {
    checkText('The text to encode', text);
    return Int32Array.from(new TextEncoder().encode(text));
  }

  /** Bytes that are no UTF-8 come back as U+FFFD. */
  decode(tokens: ArrayLike<number>): string {
    checkTokens(tokens, this.size);
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(tokens));
  }

  toJSON(): TokenizerJSON {
    return { kind: 'bytes' };
  }
}

/** The tokenizer that said this of itself. */
export const tokenizerFrom = (json: TokenizerJSON): Tokenizer =>
  json.kind === 'bytes' ? new ByteTokenizer() : new CharacterTokenizer(json.characters);

function checkTokens(tokens: unknown, size: number): void {
  if (!Array.isArray(tokens) && !isInt32Array(tokens)) {
    throw wrongArgument('The tokens to decode', 'a list of numbers', tokens);
  }
  const list: ArrayLike<unknown> = tokens;
  for (let i = 0; i < list.length; i++) {
    const token = list[i];
    if (Number.isInteger(token) && (token as number) >= 0 && (token as number) < size) continue;
    throw wrongArgument(`Token ${i}`, `a whole number from 0 to ${size - 1}`, token);
  }
}
