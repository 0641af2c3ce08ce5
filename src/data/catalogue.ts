import { FlatminError } from '../errors.ts';

/** A data set that `fetchDataset` can download. */
export interface CatalogueEntry {
  /** Also the folder inside the data folder. */
  name: string;
  title: string;
  licence: string;
  /** Base addresses, tried in this order; a file's name is appended. */
  mirrors: string[];
  /** What all the files come in, a gzipped tar: its size and SHA-256 are those of the packed file. */
  archive?: CatalogueFile;
  files: CatalogueFile[];
}

export interface CatalogueFile {
  name: string;
  /** By which mirrors have it. Default its name. */
  remote?: string;
  /** Bytes to download; 0 where it comes in the archive. */
  downloadBytes: number;
  /**
   * Size and SHA-256 of the content, unzipped where the file is gzip: they hold for a plain copy,
   * a copy packed anew, and a server that unpacks on the way alike.
   */
  bytes: number;
  sha256: string;
}

/** Bytes to download for all of a data set. */
export const downloadBytesOf = ({ archive, files }: CatalogueEntry): number =>
  archive?.downloadBytes ?? files.reduce((sum, file) => sum + file.downloadBytes, 0);

const cifarBatch = (name: string, sha256: string): CatalogueFile => ({
  name,
  downloadBytes: 0,
  bytes: 30_730_000,
  sha256,
});

const plain = (name: string, bytes: number, sha256: string, remote = name): CatalogueFile => ({
  name,
  remote,
  downloadBytes: bytes,
  bytes,
  sha256,
});

const UCI = 'https://archive.ics.uci.edu/ml/machine-learning-databases/';

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
  {
    name: 'cifar10',
    title: 'CIFAR-10, 50,000 + 10,000 colour images of 32 × 32 in ten classes (Krizhevsky 2009)',
    licence: 'none stated',
    mirrors: ['https://www.cs.toronto.edu/~kriz/'],
    archive: {
      name: 'cifar-10-binary.tar.gz',
      downloadBytes: 170_052_171,
      bytes: 170_052_171,
      sha256: 'c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd',
    },
    files: [
      cifarBatch(
        'data_batch_1.bin',
        'cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5',
      ),
      cifarBatch(
        'data_batch_2.bin',
        'a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed',
      ),
      cifarBatch(
        'data_batch_3.bin',
        'bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67',
      ),
      cifarBatch(
        'data_batch_4.bin',
        '014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48',
      ),
      cifarBatch(
        'data_batch_5.bin',
        '755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add',
      ),
      cifarBatch(
        'test_batch.bin',
        '8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b',
      ),
    ],
  },
  {
    name: 'wnut17',
    title: 'WNUT-17, emerging entities in 5,690 sentences of social media (Derczynski et al. 2017)',
    licence: 'CC BY 4.0',
    mirrors: [
      'https://raw.githubusercontent.com/leondz/emerging_entities_17/master/',
      'https://noisy-text.github.io/2017/files/',
    ],
    files: [
      plain(
        'train.conll',
        493_781,
        '731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5',
        'wnut17train.conll',
      ),
      plain(
        'dev.conll',
        114_749,
        'e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8',
        'emerging.dev.conll',
      ),
      plain(
        'test.conll',
        192_425,
        '2aa79b764e56ec9264a1b30fdd9b70195bd00ff400b62edd8f399d5f13c178f0',
        'emerging.test.annotated',
      ),
    ],
  },
  {
    name: 'text',
    title: 'Tiny Shakespeare, 1.1 million characters of his plays (Karpathy 2015)',
    licence: 'public domain',
    mirrors: ['https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/'],
    files: [
      plain(
        'tinyshakespeare.txt',
        1_115_394,
        '86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed',
        'input.txt',
      ),
    ],
  },
  {
    name: 'titanic',
    title: 'Titanic, 891 passengers in 12 columns (Kaggle, Encyclopedia Titanica)',
    licence: 'none stated',
    mirrors: ['https://raw.githubusercontent.com/datasciencedojo/datasets/master/'],
    files: [
      plain(
        'titanic.csv',
        60_302,
        '4a437fde05fe5264e1701a7387ac6fb75393772ba38bb2c9c566405af5af4bd7',
      ),
    ],
  },
  {
    name: 'spambase',
    title: 'Spambase, 4,601 letters in 57 numbers (UCI)',
    licence: 'CC BY 4.0',
    mirrors: [`${UCI}spambase/`],
    files: [
      plain(
        'spambase.data',
        702_942,
        'b1ef93de71f97714d3d7d4f58fc9f718da7bbc8ac8a150eff2778616a8097b12',
      ),
    ],
  },
  {
    name: 'mushroom',
    title: 'Mushroom, 8,124 mushrooms in 22 letters (UCI)',
    licence: 'CC BY 4.0',
    mirrors: [`${UCI}mushroom/`],
    files: [
      plain(
        'agaricus-lepiota.data',
        373_704,
        'e65d082030501a3ebcbcd7c9f7c71aa9d28fdfff463bf4cf4716a3fe13ac360e',
      ),
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
