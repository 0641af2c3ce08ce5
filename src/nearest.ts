/**
 * The candidate that was probably meant: the one that takes the fewest edits to reach, if those are few enough to be a
 * slip, or else one that begins the name or that the name begins, or one that stands for its initials.
 */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  const given = name.toLowerCase();
  const limit = Math.max(2, name.length / 3);
  const ranked = candidates
    .map((candidate) => ({ candidate, edits: editDistance(given, candidate.toLowerCase()) }))
    .filter(({ edits }) => edits <= limit)
    .sort((a, b) => a.edits - b.edits);
  return (
    ranked[0]?.candidate ??
    candidates.find((c) => begins(given, c.toLowerCase()) || initials(name) === c)
  );
}

/** One is the beginning of the other, as of `batchSize` and `batch`. */
const begins = (a: string, b: string): boolean =>
  Math.min(a.length, b.length) >= 3 && (a.startsWith(b) || b.startsWith(a));

/** `lr` of `learningRate`. */
const initials = (name: string): string =>
  `${name.charAt(0)}${name.slice(1).replace(/[^A-Z]/g, '')}`.toLowerCase();

/** Levenshtein's distance, row by row. */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1] + Number(a[i - 1] !== b[j - 1]);
      row.push(Math.min(replaced, above[j] + 1, row[j - 1] + 1));
    }
    above = row;
  }
  return above[b.length];
}
