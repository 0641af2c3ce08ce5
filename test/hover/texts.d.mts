/** TypeScript 6, where it is installed. */
export function typescript(): object | undefined;
export function hoverTexts(ts: object): {
  texts: Map<string, string>;
  optional: [string, string][];
};
