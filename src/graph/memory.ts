import { FlatminError } from '../errors.ts';
import { bytesOf, showType, type TensorType } from './types.ts';

/** No memory has as many bytes, and beyond it sizes are soon no longer exact. */
const MOST_BYTES = 2 ** 46;

/** `FLATMIN_MEMORY` for a type that no memory can hold. */
export function checkBytes(type: TensorType): void {
  const bytes = bytesOf(type);
  if (!(bytes <= MOST_BYTES)) throw memoryError(bytes, showType(type));
}

/** What `make` makes of so many bytes; `FLATMIN_MEMORY` where JavaScript finds no room for them. */
export function allocate<T>(bytes: number, purpose: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw memoryError(bytes, purpose, error);
  }
}

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB', 'EB'];

function memoryError(bytes: number, purpose: string, cause?: unknown): FlatminError {
  const unit = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(bytes) / 3)));
  const size = `${Number((bytes / 1000 ** unit).toPrecision(3))} ${UNITS[unit]}`;
  return new FlatminError(
    'FLATMIN_MEMORY',
    `Out of memory: ${size} were asked for, for ${purpose}. Help: use a smaller batch, model or dataset.`,
    { cause },
  );
}
