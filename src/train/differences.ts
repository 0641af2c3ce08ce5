/** The most that one message lists. */
const SHOWN = 6;

/**
 * Says what of two descriptions, plain JSON, differs, by its path: "optimizer.lr 0.1, not 0.2". Empty where nothing
 * does.
 */
export function differences(before: unknown, now: unknown): string {
  const [old, own] = [leaves(before), leaves(now)];
  const changed = [...new Set([...old.keys(), ...own.keys()])].filter(
    (path) => old.get(path) !== own.get(path),
  );
  const shown = changed
    .slice(0, SHOWN)
    .map((path) => `${path} ${old.get(path) ?? 'absent'}, not ${own.get(path) ?? 'absent'}`);
  const more = changed.length - shown.length;
  return [...shown, ...(more > 0 ? [`${more} more`] : [])].join('; ');
}

/** Every value that holds no other, by its path, as JSON. */
function leaves(root: unknown): Map<string, string> {
  const found = new Map<string, string>();
  // Not by recursion: a damaged file may nest as deep as it likes.
  const left: [string, unknown][] = [['', root]];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [path, value] = next;
    const inner = typeof value === 'object' && value !== null ? Object.entries(value) : [];
    if (inner.length === 0) found.set(path, JSON.stringify(value) ?? 'absent');
    for (const [name, of] of inner.reverse())
      left.push([path === '' ? name : `${path}.${name}`, of]);
  }
  return found;
}
