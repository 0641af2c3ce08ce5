/** Text that is markup already. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Piece = Html | string | number | null | undefined | false | readonly Piece[];

/** Markup in which everything that is put in is escaped, but other markup. */
export const html = (markup: TemplateStringsArray, ...pieces: readonly Piece[]): Html =>
  new Html(markup.map((text, i) => text + (i < pieces.length ? textOf(pieces[i]) : '')).join(''));

function textOf(piece: Piece): string {
  if (piece instanceof Html) return piece.text;
  if (Array.isArray(piece)) return piece.map(textOf).join('');
  if (piece === null || piece === undefined || piece === false) return '';
  return String(piece).replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** JSON that may stand in a script element. */
export const json = (value: unknown): Html =>
  new Html(
    JSON.stringify(value).replace(
      /[<\u2028\u2029]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    ),
  );

/** JavaScript that may stand in a script element: what would end it is written otherwise in its texts. */
export const script = (code: string): Html =>
  new Html(code.replace(/<(?=\/script|!--|script)/gi, '\\x3C'));
