/** Every error that flatmin throws on purpose. `code` is stable across versions, `message` is for people. */
export class FlatminError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'FlatminError';
    this.code = code;
  }
}

/**
 * - `FLATMIN_ARGUMENT`: an argument of the wrong type, range or length
 * - `FLATMIN_SHAPE`: shapes or dtypes that do not fit together
 * - `FLATMIN_DATA`: a file that is missing, unreadable, truncated or of another format
 * - `FLATMIN_FETCH`: a download that failed or did not match its checksum
 * - `FLATMIN_DEVICE`: a device that was named and is not there
 * - `FLATMIN_DEVICE_LOST`: a device that failed at work; what was in its memory is lost
 * - `FLATMIN_NUMERICS`: a gradient or loss that is not finite, or a matrix root that keeps failing
 * - `FLATMIN_BUSY`: a program that is already running, or a folder in which another process is at work
 * - `FLATMIN_MEMORY`: a buffer that does not fit into the memory of its device, or a thread that the system does not start
 * - `FLATMIN_PROGRAM`: a program that an executor cannot run: a bug of flatmin's, please report it
 * - `FLATMIN_ABORTED`: an `AbortSignal` fired
 * - `FLATMIN_IO`: a file that cannot be written
 * - `FLATMIN_CHECKPOINT`: a checkpoint that does not fit the model
 */
export type ErrorCode =
  | 'FLATMIN_ARGUMENT'
  | 'FLATMIN_SHAPE'
  | 'FLATMIN_DATA'
  | 'FLATMIN_FETCH'
  | 'FLATMIN_DEVICE'
  | 'FLATMIN_DEVICE_LOST'
  | 'FLATMIN_NUMERICS'
  | 'FLATMIN_BUSY'
  | 'FLATMIN_MEMORY'
  | 'FLATMIN_PROGRAM'
  | 'FLATMIN_ABORTED'
  | 'FLATMIN_IO'
  | 'FLATMIN_CHECKPOINT';
