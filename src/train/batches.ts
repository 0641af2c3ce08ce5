/** The batches of a pass over `count` rows from `begin` on; the last may be smaller. */
export function batches(
  count: number,
  size: number,
  begin = 0,
): { offset: number; rows: number }[] {
  const list = [];
  for (let offset = begin; offset < count; offset += size) {
    list.push({ offset, rows: Math.min(size, count - offset) });
  }
  return list;
}
