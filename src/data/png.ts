import { PNG } from 'pngjs';
import { FlatminError } from '../errors.ts';
import { readData } from '../files.ts';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** Where the image's size stands, in bytes from the beginning. */
const [WIDTH, HEIGHT, HEADER] = [16, 20, 24];

export const isPng = (file: string): boolean =>
  readData(file).subarray(0, SIGNATURE.length).equals(SIGNATURE);

export interface PngForm {
  /** 1 for brightness, 3 for red, green and blue. */
  readonly channels: 1 | 3;
  /** Height and width, in pixels. */
  readonly side: number;
}

/**
 * The image of a PNG file, u8 [channels, side, side]: of any colour type and depth, what is transparent on black, brightness
 * by ITU-R BT.601. `FLATMIN_DATA` for one that is damaged or has another size.
 */
export function readPng(file: string, { channels, side }: PngForm): Uint8Array {
  const bytes = readData(file);
  // Looked at before anything is unpacked, which a small file can make very large.
  const [width, height] =
    bytes.length < HEADER ? [0, 0] : [WIDTH, HEIGHT].map((at) => bytes.readUInt32BE(at));
  if (width !== side || height !== side) {
    throw new FlatminError(
      'FLATMIN_DATA',
      `${file}: expected an image of ${side} × ${side} pixels, got ${width} × ${height}. Help: scale it.`,
    );
  }
  const { data } = decode(file, bytes);
  const pixels = side * side;
  const image = new Uint8Array(channels * pixels);
  for (let i = 0; i < pixels; i++) {
    const [red, green, blue, alpha] = data.subarray(4 * i, 4 * i + 4);
    const colour = [red, green, blue].map((x) => (x * alpha) / 255);
    const shown = channels === 3 ? colour : [luma(colour)];
    shown.forEach((x, c) => {
      image[c * pixels + i] = Math.round(x);
    });
  }
  return image;
}

const luma = ([red, green, blue]: readonly number[]): number =>
  0.299 * red + 0.587 * green + 0.114 * blue;

function decode(file: string, bytes: Buffer): PNG {
  try {
    return PNG.sync.read(bytes);
  } catch (error) {
    throw new FlatminError('FLATMIN_DATA', `${file} is damaged: ${(error as Error).message}`);
  }
}
