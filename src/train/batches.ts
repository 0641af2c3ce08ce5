/** Rows of a pass that are worked on together. */
export interface Batch {
  readonly offset: number;
  readonly rows: number;
  /** Of a batch of sequences: what they are padded to. */
  readonly steps?: number;
}

/** The batches of a pass over `count` rows from `begin` on; the last may be smaller. */
export function batches(count: number, size: number, begin = 0): Batch[] {
  const list = [];
  for (let offset = begin; offset < count; offset += size) {
    list.push({ offset, rows: Math.min(size, count - offset) });
  }
  return list;
}

/** What batches of one program have in common. */
export const shapeOf = ({ rows, steps }: Pick<Batch, 'rows' | 'steps'>): string =>
  steps === undefined ? `${rows}` : `${rows}×${steps}`;
