import { Draws } from '../random/draws.ts';
import { STREAM } from '../random/philox.ts';
import type { Sentence } from './conll.ts';

export interface SyntheticSentences {
  readonly count: number;
  readonly split: 'train' | 'validation' | 'test';
}

const SEED = 0;
const STREAMS = { train: 32, validation: 33, test: 34 };

const FILLERS =
  'then we saw how it all came to an end while they were glad and so was he but it had been long';
/** What stands before an entity and tells its type; the same names follow all of them. */
const SIGNS: Readonly<Record<string, string>> = {
  PER: 'thanked told called met saw',
  LOC: 'in near across outside through',
  ORG: 'joined sued bought founded left',
  MISC: 'won wrote sang translated speaks',
};
/** What stands before a name that is no entity. */
const NEUTRAL = 'like unlike as than';
const SYLLABLES = 'ka ro mi len tas vor nel dra sun pe lo rin';

const list = (words: string): string[] => words.split(' ');
const [fillers, neutral, syllables] = [FILLERS, NEUTRAL, SYLLABLES].map(list);
const types = Object.keys(SIGNS);
const LONGEST_NAME = 3;

/**
 * Sentences with entities for machines with neither data nor network: of which type a name is, and whether it is any, the
 * word before it tells and not the name, so a model that sees one word at a time cannot know. Sentence i is a function of
 * (split, i) alone.
 */
export const syntheticSentences = ({ count, split }: SyntheticSentences): Sentence[] =>
  Array.from({ length: count }, (_, i) =>
    sentence(new Draws(SEED, STREAM.synthetic + STREAMS[split], i)),
  );

function sentence(draws: Draws): Sentence {
  const words: string[] = [];
  const tags: string[] = [];
  const say = (word: string, tag = 'O') => {
    words.push(word);
    tags.push(tag);
  };
  // Most sentences are short.
  const phrases = 1 + Math.floor(draws.between(0, 2.4) ** 2);
  for (let phrase = 0; phrase < phrases; phrase++) {
    for (let i = draws.below(2); i > 0; i--) say(draws.of(fillers));
    const type = draws.chance(0.2) ? undefined : draws.of(types);
    say(draws.of(type === undefined ? neutral : list(SIGNS[type])));
    const length = 1 + draws.below(LONGEST_NAME);
    for (let i = 0; i < length; i++) {
      say(nameOf(draws), type && `${i === 0 ? 'B' : 'I'}-${type}`);
    }
  }
  say('.');
  return { words, tags };
}

function nameOf(draws: Draws): string {
  const name = draws.of(syllables) + draws.of(syllables);
  return name.charAt(0).toUpperCase() + name.slice(1);
}
