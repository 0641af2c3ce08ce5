/** An IDX file's bytes: element type code, dimensions, elements. */
export function idx(type: number, shape: number[], elements: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header[2] = type;
  header[3] = shape.length;
  shape.forEach((n, d) => {
    header.writeUInt32BE(n, 4 + 4 * d);
  });
  return Buffer.concat([header, elements]);
}
