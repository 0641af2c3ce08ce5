import { open, stat } from 'node:fs/promises';
import { FlatminError } from '../errors.ts';

export interface DownloadOptions {
  /** A longer answer is refused. */
  maxBytes: number;
  /** Give up after this long without a byte. */
  stallMs: number;
  signal?: AbortSignal;
  /** Bytes on disk so far, and in all where the server says so. */
  onProgress?: (received: number, total?: number) => void;
}

/** A server that refused or broke off. `again`: worth another try at the same address. */
export class DownloadFailure extends Error {
  readonly again: boolean;

  constructor(message: string, again: boolean) {
    super(message);
    this.again = again;
  }
}

/**
 * Appends what `part` still lacks of `url` (an HTTP Range request; from the start where the server
 * ignores it) and returns how many bytes were there before. Whatever fails, `part` keeps the bytes
 * that came. Throws `DownloadFailure`, `FLATMIN_IO` when writing fails, the signal's reason.
 */
export async function download(
  url: string,
  part: string,
  { maxBytes, stallMs, signal, onProgress }: DownloadOptions,
): Promise<number> {
  const have = await sizeOf(part);
  const stall = new AbortController();
  const timer = setTimeout(() => stall.abort(), stallMs);
  try {
    const response = await fetch(url, {
      headers: {
        'accept-encoding': 'identity',
        ...(have > 0 && { range: `bytes=${have}-` }),
      },
      signal: signal ? AbortSignal.any([signal, stall.signal]) : stall.signal,
    });
    // Nothing lies beyond `have`: the checksum decides whether the part is whole.
    if (response.status === 416 && have > 0) {
      await response.body?.cancel();
      return have;
    }
    if (!response.ok || !response.body) {
      await response.body?.cancel();
      const { status } = response;
      throw new DownloadFailure(
        `HTTP ${status}`,
        status >= 500 || status === 408 || status === 429,
      );
    }
    const offset = resumesAt(response, have) ? have : 0;
    const length = Number(response.headers.get('content-length') ?? Number.NaN);
    await save(response.body, part, offset, maxBytes, (received) => {
      timer.refresh();
      onProgress?.(received, Number.isNaN(length) ? undefined : offset + length);
    });
    return offset;
  } catch (error) {
    signal?.throwIfAborted();
    if (stall.signal.aborted) {
      throw new DownloadFailure(`no data for ${stallMs / 1000} s`, true);
    }
    if (error instanceof DownloadFailure || error instanceof FlatminError) throw error;
    const { cause, message } = error as Error & { cause?: NodeJS.ErrnoException };
    throw new DownloadFailure(cause?.message || cause?.code || message, true);
  } finally {
    clearTimeout(timer);
  }
}

/** Bytes already in `part`; 0 where there is none. */
async function sizeOf(part: string): Promise<number> {
  try {
    return (await stat(part)).size;
  } catch {
    return 0;
  }
}

function resumesAt(response: Response, have: number): boolean {
  if (response.status !== 206) return false;
  const range = response.headers.get('content-range') ?? '';
  if (range.startsWith(`bytes ${have}-`)) return true;
  throw new DownloadFailure(`asked for bytes from ${have}, got "${range}"`, false);
}

async function save(
  body: AsyncIterable<Uint8Array>,
  part: string,
  offset: number,
  maxBytes: number,
  onReceived: (received: number) => void,
): Promise<void> {
  const file = await writing(part, open(part, offset > 0 ? 'a' : 'w'));
  try {
    let received = offset;
    for await (const chunk of body) {
      received += chunk.length;
      if (received > maxBytes) {
        throw new DownloadFailure(`more than the ${maxBytes} bytes expected`, false);
      }
      await writing(part, file.writeFile(chunk));
      onReceived(received);
    }
    await writing(part, file.sync());
  } finally {
    await file.close();
  }
}

/** Awaits an operation on `path`, as `FLATMIN_IO` when it fails. */
export async function writing<T>(path: string, operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (cause) {
    throw new FlatminError('FLATMIN_IO', `cannot write ${path}: ${(cause as Error).message}`, {
      cause,
    });
  }
}
