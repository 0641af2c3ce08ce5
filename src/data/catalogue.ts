import { FlatminError } from '../errors.ts';

/** A data set that `fetchDataset` can download. */
export interface CatalogueEntry {
  /** Also the folder inside the data folder. */
  name: string;
  title: string;
  licence: string;
  /** Base addresses, tried in this order; a file's name is appended. */
  mirrors: string[];
  files: CatalogueFile[];
}

export interface CatalogueFile {
  name: string;
  /** Bytes to download. */
  downloadBytes: number;
  /**
   * Size and SHA-256 of the content, unzipped where the file is gzip: they hold for a plain copy,
   * a copy packed anew, and a server that unpacks on the way alike.
   */
  bytes: number;
  sha256: string;
}

export const CATALOGUE: CatalogueEntry[] = [
  {
    name: 'mnist',
    title: 'MNIST handwritten digits, 60,000 + 10,000 images of 28 × 28 (LeCun, Cortes, Burges)',
    licence: 'CC BY-SA 3.0',
    mirrors: [
      'https://ossci-datasets.s3.amazonaws.com/mnist/',
      'https://storage.googleapis.com/cvdf-datasets/mnist/',
      'https://yann.lecun.com/exdb/mnist/',
    ],
    files: [
      {
        name: 'train-images-idx3-ubyte.gz',
        downloadBytes: 9_912_422,
        bytes: 47_040_016,
        sha256: 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
      },
      {
        name: 'train-labels-idx1-ubyte.gz',
        downloadBytes: 28_881,
        bytes: 60_008,
        sha256: '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
      },
      {
        name: 't10k-images-idx3-ubyte.gz',
        downloadBytes: 1_648_877,
        bytes: 7_840_016,
        sha256: '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
      },
      {
        name: 't10k-labels-idx1-ubyte.gz',
        downloadBytes: 4_542,
        bytes: 10_008,
        sha256: 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
      },
    ],
  },
];

/** The entry of that name; an entry of one's own is returned as it is. */
export function catalogueEntry(dataset: string | CatalogueEntry): CatalogueEntry {
  if (typeof dataset !== 'string') return dataset;
  const entry = CATALOGUE.find((e) => e.name === dataset);
  if (entry) return entry;
  const known = CATALOGUE.map((e) => e.name).join(', ');
  throw new FlatminError(
    'FLATMIN_ARGUMENT',
    `unknown data set ${JSON.stringify(dataset)}; expected one of: ${known}`,
  );
}
