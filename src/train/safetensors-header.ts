import { z } from 'zod';
import { BYTES, type DType, type Shape, sizeOf } from '../graph/types.ts';
import { firstFault } from './json-numbers.ts';

/** Where one tensor's bytes lie behind the header. */
export interface Entry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  readonly metadata: Readonly<Record<string, string>>;
  readonly entries: readonly Entry[];
}

/** Names of the format. */
export const TO_NAME: Readonly<Record<DType, string>> = {
  f32: 'F32',
  bf16: 'BF16',
  i32: 'I32',
  u8: 'U8',
};
const FROM_NAME = new Map(Object.entries(TO_NAME).map(([dtype, name]) => [name, dtype as DType]));

const whole = z.int().nonnegative();
const metadataSchema = z.record(z.string(), z.string());
const entrySchema = z.object({
  dtype: z.enum([...FROM_NAME.keys()]),
  shape: z.array(whole),
  data_offsets: z.tuple([whole, whole]),
});
/** Of a tensor that is left out, of whichever type. */
const skippedSchema = entrySchema.extend({ dtype: z.string() });

/**
 * Reads the header of a file that holds `bytes` of tensors. Tensors must fill these bytes one after the other, as the
 * format wants it: none overlaps another and none is left out. Those that are to be skipped may be of any type and are no
 * entries. An Error says what is wrong.
 */
export function parseHeader(
  json: Uint8Array,
  bytes: number,
  skip: (name: string) => boolean,
): Header {
  const { __metadata__ = {}, ...rest } = parseObject(json);
  const metadata = checked('__metadata__', metadataSchema, __metadata__);
  const all = Object.entries(rest).map(([name, value]) => {
    const schema = skip(name) ? skippedSchema : entrySchema;
    const { dtype, shape, data_offsets } = checked(`"${name}"`, schema, value);
    const [begin, end] = data_offsets;
    const found = FROM_NAME.get(dtype);
    const length = found === undefined ? end - begin : sizeOf(shape) * BYTES[found];
    if (end > bytes || end - begin !== length || length < 0) {
      throw new Error(
        `"${name}", ${dtype} of [${shape.join(', ')}], lies at ${begin} … ${end} of ${bytes} bytes`,
      );
    }
    return { name, dtype: found, shape, begin, end };
  });
  let filled = 0;
  for (const { name, begin, end } of [...all].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== filled) throw new Error(`"${name}" begins at ${begin}, not at ${filled}`);
    filled = end;
  }
  if (filled !== bytes) throw new Error(`its tensors fill ${filled} of ${bytes} bytes`);
  return { metadata, entries: all.filter(({ name }) => !skip(name)) as Entry[] };
}

function parseObject(json: Uint8Array): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json));
  } catch {
    throw new Error('its header is not JSON');
  }
  if (typeof header === 'object' && header !== null && !Array.isArray(header)) {
    return header as Record<string, unknown>;
  }
  throw new Error('its header is not an object');
}

function checked<S extends z.ZodType>(what: string, schema: S, value: unknown): z.output<S> {
  const { data, error } = schema.safeParse(value);
  if (error !== undefined) throw new Error(`${what}: ${firstFault(error)}`);
  return data as z.output<S>;
}
