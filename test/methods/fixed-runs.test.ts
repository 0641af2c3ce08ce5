/**
 * The bits of short runs by every method, backend and instruction set: docs/results/fixed-runs.json keeps a hash of each,
 * so that a change of structure shows that it changed no number. `npx vitest run test/methods/fixed-runs.test.ts -u` writes
 * them anew. Compiled kernels round as their compiler contracts multiplications and additions: their hashes are compared
 * where the compiler is the one that the file names.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findTools } from '../../scripts/tools.mjs';
import {
  adamw,
  batchNorm,
  conv2d,
  crossEntropy,
  type DeviceName,
  embedding,
  flatten,
  kfac,
  type Layer,
  lenet5,
  linear,
  lion,
  lstm,
  type Optimizer,
  type Params,
  relu,
  sam,
  sequential,
  sgd,
  shampoo,
  soap,
  type TrainStepOptions,
  tokenCrossEntropy,
  trainStep,
} from '../../src/index.ts';
import { uniforms } from '../../src/random/philox.ts';
import { cpu } from '../conformance/backends.ts';
import { model } from '../optim/small-network.ts';
import { METHODS } from './catalogue.ts';
import { images, LEARN } from './problems.ts';

const STEPS = 3;

/** What a run trains: a network and the batch that every step sees. */
interface Subject {
  readonly make: () => Layer;
  readonly options: Omit<TrainStepOptions, 'optimizer'>;
  readonly inputs: Float32Array | Int32Array;
  readonly targets: Float32Array | Int32Array;
  /** Too much for the JavaScript kernels within a test. */
  readonly large?: boolean;
}

const draw = (count: number, stream: number) =>
  uniforms({ seed: 5, stream, step: 0 }, count).map((u) => 2 * u - 1);
const classes = (count: number, of: number) => Int32Array.from({ length: count }, (_, i) => i % of);

/** Networks whose shapes reach the kernels of large convolutions, batch norm, sequences and pooling. */
const NETWORKS: Readonly<Record<string, Subject>> = {
  'LeNet-5': {
    make: () => lenet5(),
    options: { input: [1, 32, 32], batch: 20, loss: crossEntropy(), seed: 1 },
    inputs: draw(20 * 1024, 1),
    targets: classes(20, 10),
    large: true,
  },
  'convolutions and batch norm': {
    make: () =>
      sequential(
        ...[conv2d(32, 3, { padding: 1, bias: false }), batchNorm(), relu()],
        ...[conv2d(32, 3, { padding: 1 }), batchNorm(), relu(), flatten(), linear(4)],
      ),
    options: { input: [3, 8, 8], batch: 8, loss: crossEntropy(), seed: 1 },
    inputs: draw(8 * 192, 2),
    targets: classes(8, 4),
    large: true,
  },
  LSTM: {
    make: () => sequential(embedding(20, 12), lstm(16), linear(3)),
    options: { input: [7], inputType: 'i32', batch: 5, loss: tokenCrossEntropy(), seed: 1 },
    inputs: Int32Array.from({ length: 35 }, (_, i) => (i % 7 > i / 7 + 2 ? -1 : (i * 7) % 20)),
    targets: Int32Array.from({ length: 35 }, (_, i) => (i % 7 > i / 7 + 2 ? -1 : i % 3)),
  },
};

const ON_NETWORKS: Readonly<Record<string, () => Optimizer>> = {
  sgd: () => sgd({ lr: 0.05, momentum: 0.9 }),
  adamw: () => adamw({ lr: 1e-3 }),
  'sam lion': () => sam(lion({ lr: 1e-3 })),
  shampoo: () => shampoo({ lr: 0.05, graft: 'sgd' }),
  soap: () => soap({ lr: 1e-3 }),
  kfac: () => kfac({ lr: 0.05, damping: 0.1 }),
};

const small: Subject = {
  make: model,
  options: { ...LEARN, input: images.inputs.shape },
  inputs: images.inputs.data as Float32Array,
  targets: images.targets.data,
};

const RUNS: readonly { name: string; subject: Subject; optimizer: () => Optimizer }[] = [
  ...METHODS.map(({ name, make }) => ({ name, subject: small, optimizer: make })),
  ...Object.entries(NETWORKS).flatMap(([network, subject]) =>
    Object.entries(ON_NETWORKS).map(([method, optimizer]) => ({
      name: `${network} by ${method}`,
      subject,
      optimizer,
    })),
  ),
];

const hashOf = (params: Params): string => {
  const hash = createHash('sha256');
  for (const [name, { data }] of Object.entries(params)) {
    hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex').slice(0, 16);
};

function run({ subject, optimizer }: (typeof RUNS)[number], device: DeviceName): string {
  const { make, options, inputs, targets } = subject;
  const step = trainStep(make(), { ...options, optimizer: optimizer(), device });
  for (let t = 0; t < STEPS; t++) step(inputs, targets);
  return hashOf(step.model.parameters());
}

/** The first line of the compiler's version, such as "g++ (Debian 12.2.0-14) 12.2.0"; null without one. */
function compilerHere(): string | null {
  const { compiler } = findTools();
  if (compiler === null) return null;
  return spawnSync(compiler, ['--version'], { encoding: 'utf8' }).stdout.split('\n')[0];
}

const file = resolve(import.meta.dirname, '../../docs/results/fixed-runs.json');
type Hashes = Readonly<Record<string, string>>;
interface Kept {
  readonly compiler: string | null;
  readonly steps: number;
  /** By run, then by `js` or instruction set. */
  readonly hashes: Readonly<Record<string, Hashes>>;
}
const compiler = compilerHere();
const kept: Kept = existsSync(file)
  ? JSON.parse(readFileSync(file, 'utf8'))
  : { compiler, steps: STEPS, hashes: {} };
const foreign = kept.compiler !== compiler;
const sets = ['portable', 'avx2', 'avx512'].map((isa) => ({ isa, missing: cpu(isa).missing }));
const left = foreign
  ? `, compiled kernels left out: built by "${compiler}"`
  : sets.flatMap(({ isa, missing }) => (missing === null ? [] : [`, ${isa} left out: ${missing}`]));

const previous = process.env.FLATMIN_ISA;
afterAll(() => {
  if (previous === undefined) delete process.env.FLATMIN_ISA;
  else process.env.FLATMIN_ISA = previous;
});

describe('fixed runs', () => {
  it(`give the bits that were kept${left}`, { timeout: 240_000 }, async () => {
    const hashes = RUNS.map((each) => {
      const found: Record<string, string> = { ...kept.hashes[each.name] };
      if (!each.subject.large) found.js = run(each, 'js');
      for (const { isa, missing } of sets) {
        if (foreign || missing !== null) continue;
        process.env.FLATMIN_ISA = isa;
        found[isa] = run(each, 'cpu');
      }
      return [each.name, found];
    });
    const now: Kept = { ...kept, steps: STEPS, hashes: Object.fromEntries(hashes) };
    await expect(`${JSON.stringify(now, null, 1)}\n`).toMatchFileSnapshot(file);
  });
});
