import { trainStep } from '../../doors/train-step.ts';
import { linear, relu } from '../../nn/layers/index.ts';
import { squaredError } from '../../nn/loss.ts';
import { sequential } from '../../nn/sequential.ts';
import { adam } from '../../optim/adam.ts';
import { cosine } from '../../optim/schedule.ts';
import { Draws } from '../../random/draws.ts';
import { STREAM } from '../../random/philox.ts';
import type { Section } from '../../report/report.ts';
import { median } from '../../statistics.ts';
import type { Experiment } from '../experiment.ts';
import { leastSquares, meanSquare, times } from '../least-squares.ts';
import { constant } from '../measured.ts';
import type { Parts } from '../parts.ts';
import type { Claim, Study } from '../study.ts';
import { above, below, near, type Sample } from '../verdict.ts';

/** Risk against the number of parameters, through and past the number of examples. */

const LECTURE =
  'D. Merkulov, P. Ostroukhov, lecture on optimisation of neural networks (in Russian)';
const BELKIN = 'Belkin, Hsu, Ma, Mandal, PNAS 116 (2019)';
const NAKKIRAN = 'Nakkiran, Venkat, Kakade, Ma, arXiv 2003.01897';

type Risks = {
  /** Ascending. */
  parameters: number[];
  train: number[];
  /** Mean square error on inputs not trained on, without the noise of labels. */
  test: number[];
};

/** Of a risk, so that no seed's single explosion decides. */
const log10 = (risk: number) => Math.log10(Math.max(risk, 1e-16));

const madeUpRisks = (parameters: readonly number[], chance: () => number): Risks => {
  const [peak, place, last, first, fit] = [chance(), chance(), chance(), chance(), chance()];
  const at = Math.floor(place * (parameters.length - 1));
  const test = parameters.map(
    (_, i) => 10 ** (i === at ? 2 : i < at ? -3 * first - i / at / 2 : -3 * last + 2 * (1 - peak)),
  );
  const train = parameters.map((_, i) => 10 ** (i < at ? -1 : -16 * fit));
  return { parameters: [...parameters], train, test };
};

// Polynomials

const POINTS = 20;
const DEGREES = [
  ...Array.from({ length: 30 }, (_, i) => i + 1),
  ...[33, 37, 42, 50, 60, 75, 100, 140, 200],
];
const POLYNOMIAL_NOISE = 0.2;
const curve = (x: number) => Math.sin(1.5 * Math.PI * x);

/** Legendre polynomials of degrees 0 … count − 1 at x, of mean square 1 over [−1, 1]. */
function legendre(x: number, count: number): number[] {
  const p = [1, x];
  for (let k = 1; k + 1 < count; k++) p.push(((2 * k + 1) * x * p[k] - k * p[k - 1]) / (k + 1));
  return p.slice(0, count).map((value, k) => value * Math.sqrt(2 * k + 1));
}

const features = (xs: readonly number[], count: number): Float64Array =>
  Float64Array.from(xs.flatMap((x) => legendre(x, count)));

type Noise = { noise: number };

const polynomials: Experiment<Noise, Risks & { fits: number[][] }> = {
  name: 'polynomials',
  title: 'Polynomial least squares',
  about: `${POINTS} points of sin 1.5πx on [−1, 1] with noise of deviation ${POLYNOMIAL_NOISE} are fitted by Legendre polynomials, the coefficients of least norm where many fit. Risks are mean square errors against the noisy points and against the curve itself.`,
  sizes: {
    quick: { settings: [{ noise: POLYNOMIAL_NOISE }], seeds: 8 },
    full: { settings: [{ noise: POLYNOMIAL_NOISE }], seeds: 100 },
  },
  run: ({ noise }, { seed }) => {
    const draws = new Draws(seed, STREAM.experiment, 0);
    const x = Array.from({ length: POINTS }, () => draws.between(-1, 1));
    const y = Float64Array.from(x, (at) => curve(at) + noise * draws.normal());
    const grid = Array.from({ length: 400 }, (_, i) => -1 + (2 * (i + 0.5)) / 400);
    const fitted = DEGREES.map((count) => {
      const phi = features(x, count);
      const [theta] = leastSquares(phi, POINTS, count, y);
      return { phi, count, theta, on: times(features(grid, count), count, theta) };
    });
    const fits = SHOWN.map((count) => {
      const on = fitted[DEGREES.indexOf(count)].on;
      return Array.from(on.filter((_, i) => i % 4 === 0));
    });
    return {
      parameters: DEGREES,
      train: fitted.map(({ phi, count, theta }) => meanSquare(times(phi, count, theta), y)),
      test: fitted.map(({ on }) => meanSquare(on, grid.map(curve))),
      // Only one seed's are drawn.
      fits: seed === 0 ? fits : [],
    };
  },
  sections: (parts) => [
    risks(parts, 'Polynomials: risk by the number of coefficients', POINTS, 'coefficients'),
    ...parts.all.flatMap(({ entries: { fits } }) => (fits.length > 0 ? [fitSection(fits)] : [])),
  ],
  madeUp: (_, chance) => ({ ...madeUpRisks(DEGREES, chance), fits: [] }),
};

/** Of the fits that are drawn. */
const SHOWN = [6, POINTS, 200];

function fitSection(fits: readonly (readonly number[])[]): Section {
  const at = (i: number) => -1 + (2 * (4 * i + 0.5)) / 400;
  const within = (value: number) => Math.max(-3, Math.min(3, value));
  const line = (method: string, of: (i: number) => number) => ({
    method,
    run: 'seed 0',
    seed: 0,
    points: fits[0].map((_, i): [number, number] => [at(i), within(of(i))]),
  });
  return {
    kind: 'curves',
    heading: 'Polynomials: three of the fits',
    caption: 'Of the first seed, cut off at ±3, beyond which the fit at the threshold goes far.',
    x: 'x',
    y: 'y',
    series: [
      line('the curve', (i) => curve(at(i))),
      ...SHOWN.map((count, k) => line(`${count} coefficients`, (i) => fits[k][i])),
    ],
  };
}

// Random features

const ROWS = 100;
const INPUTS = 20;
const TEST_ROWS = 1000;
const WIDTHS = [
  5, 10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 95, 100, 105, 110, 120, 135, 150, 180, 250, 400, 700,
  1200,
];
const RIDGES = [0.01, 0.03, 0.1, 0.3, 1, 3, 10];

/** Rows of inputs on the unit sphere, and a teacher's labels. */
function teacher(draws: Draws) {
  const unit = (count: number) => {
    const z = draws.normals(count);
    const length = Math.hypot(...z);
    return z.map((value) => value / length);
  };
  const beta = unit(INPUTS);
  return (rows: number, noise: number) => {
    const x = Array.from({ length: rows }, () => unit(INPUTS).map((v) => v * Math.sqrt(INPUTS)));
    const y = Float64Array.from(x, (row) => dot(row, beta) + noise * draws.normal());
    return { x, y };
  };
}

const dot = (a: Float64Array, b: Float64Array) =>
  a.reduce((sum, value, i) => sum + value * b[i], 0);

type Wide = Risks & { ridge: number[] };

const randomFeatures: Experiment<Noise, Wide> = {
  name: 'random-features',
  title: 'Random ReLU features',
  about: `A linear teacher of ${INPUTS} inputs labels ${ROWS} rows, with noise of deviation 0.5. A network whose first layer stays as drawn learns its second one by least squares of least norm; the other line has at each width the best of ${RIDGES.length} ridge penalties by the test rows.`,
  sizes: {
    quick: { settings: [{ noise: 0.5 }], seeds: 2 },
    full: { settings: [{ noise: 0.5 }], seeds: 20 },
  },
  run: ({ noise }, { seed, size }) => {
    const draws = new Draws(seed, STREAM.experiment, 1);
    const sample = teacher(draws);
    const [train, test] = [sample(ROWS, noise), sample(TEST_ROWS, 0)];
    const widths = WIDTHS.filter((width) => size === 'full' || width <= 400);
    const first = Array.from({ length: widths[widths.length - 1] }, () => draws.normals(INPUTS));
    const hidden = (x: readonly Float64Array[], width: number) =>
      Float64Array.from(
        x.flatMap((row) =>
          first.slice(0, width).map((w) => Math.max(0, dot(row, w)) / Math.sqrt(INPUTS)),
        ),
      );
    const fitted = widths.map((width) => {
      const phi = hidden(train.x, width);
      const thetas = leastSquares(phi, ROWS, width, train.y, [0, ...RIDGES]);
      const on = hidden(test.x, width);
      const [free, ...ridged] = thetas.map((theta) => meanSquare(times(on, width, theta), test.y));
      const fit = meanSquare(times(phi, width, thetas[0]), train.y);
      return { fit, free, ridged: Math.min(...ridged) };
    });
    return {
      parameters: widths,
      train: fitted.map(({ fit }) => fit),
      test: fitted.map(({ free }) => free),
      ridge: fitted.map(({ ridged }) => ridged),
    };
  },
  sections: (parts) => [
    risks(parts, 'Random features: risk by width', ROWS, 'features', {
      'test, best ridge': ({ ridge }) => ridge,
    }),
  ],
  madeUp: (_, chance) => {
    const shift = 1.5 * (chance() - 0.5);
    const ridge = WIDTHS.map((width) => 10 ** (width >= ROWS ? shift : 0));
    return { ...madeUpRisks(WIDTHS, chance), ridge };
  },
};

// Networks

const NET_ROWS = 80;
const HIDDEN = [1, 2, 3, 4, 5, 6, 7, 8, 10, 13, 18, 30, 60, 120, 250];
const NET_INPUTS = 10;
/** Weights and biases of both layers. */
const parametersOf = (hidden: number) => hidden * (NET_INPUTS + 2) + 1;
const THRESHOLD = NET_ROWS;

type Steps = { steps: number };

const networks: Experiment<Steps, Risks> = {
  name: 'networks',
  title: 'Networks by width',
  about: `A network of one hidden ReLU layer learns ${NET_ROWS} rows of a noisy teacher with ${NET_INPUTS} inputs by Adam on the whole batch. Training ends after a number of steps, fitted or not.`,
  sizes: {
    quick: { settings: [{ steps: 2000 }], seeds: 2 },
    full: { settings: [{ steps: 20_000 }], seeds: 10 },
  },
  run: ({ steps }, { seed, device, threads }) => {
    const draws = new Draws(seed, STREAM.experiment, 2);
    const beta = draws.normals(NET_INPUTS).map((v) => v / Math.sqrt(NET_INPUTS));
    const rows = (count: number, noise: number) => {
      const x = Float32Array.from(draws.normals(count * NET_INPUTS));
      const y = Float32Array.from({ length: count }, (_, r) => {
        const row = Float64Array.from(x.subarray(r * NET_INPUTS, (r + 1) * NET_INPUTS));
        return Math.tanh(2 * dot(row, beta)) + noise * draws.normal();
      });
      return { x, y };
    };
    const [train, test] = [rows(NET_ROWS, 0.5), rows(TEST_ROWS, 0)];
    const fitted = HIDDEN.map((hidden) => {
      const step = trainStep(sequential(linear(hidden), relu(), linear(1)), {
        input: [NET_INPUTS],
        batch: NET_ROWS,
        loss: squaredError(),
        optimizer: adam({ lr: cosine(0.02, { steps }) }),
        ...{ seed, device, threads },
      });
      for (let i = 0; i < steps; i++) step(train.x, train.y);
      const risk = ({ x, y }: typeof train) => meanSquare(step.model.predict(x).data, y);
      return { fit: risk(train), held: risk(test) };
    });
    return {
      parameters: HIDDEN.map(parametersOf),
      train: fitted.map(({ fit }) => fit),
      test: fitted.map(({ held }) => held),
    };
  },
  sections: (parts) => [
    risks(parts, 'Networks: risk by the number of parameters', THRESHOLD, 'parameters'),
  ],
  madeUp: (_, chance) => madeUpRisks(HIDDEN.map(parametersOf), chance),
};

/** Medians over seeds, since near the threshold a few are very large. */
function risks<E extends Risks>(
  parts: Parts<Noise, E> | Parts<Steps, E>,
  heading: string,
  threshold: number,
  what: string,
  more: Readonly<Record<string, (entries: E) => readonly number[]>> = {},
): Section {
  const all = parts.all.map(({ entries }) => entries);
  const lines: Readonly<Record<string, (entries: E) => readonly number[]>> = {
    train: ({ train }) => train,
    test: ({ test }) => test,
    ...more,
  };
  const [{ parameters }] = all;
  const series = Object.entries(lines).map(([method, of]) => ({
    method,
    run: `median of ${all.length} seeds`,
    seed: 0,
    points: parameters.map((count, i): [number, number] => [
      count,
      // Below is the rounding of a fit that is exact.
      Math.max(1e-8, median(all.map((entries) => of(entries)[i]))),
    ]),
  }));
  const heights = series.flatMap(({ points }) => points.map(([, y]) => y));
  return {
    kind: 'curves',
    heading,
    caption: `Mean square error, the median over ${all.length} seeds; below 1e-8 it is drawn there.`,
    x: what,
    y: 'mean square error',
    logX: true,
    logY: true,
    series,
    references: [
      {
        name: 'as many as examples',
        points: [
          [threshold, Math.min(...heights)],
          [threshold, Math.max(...heights)],
        ],
      },
    ],
  };
}

/** log₁₀ of test risks of a seed, by numbers of parameters. */
function claimsOf(
  experiment: Experiment<Noise, Wide> | Experiment<Noise, Risks> | Experiment<Steps, Risks>,
  {
    of,
    threshold,
    source,
    exact,
  }: { of: string; threshold: number; source: string; exact: number },
): Claim[] {
  type Some = Experiment<Noise | Steps, Risks>;
  const sample = (
    parts: Parts<Noise | Steps, Risks>,
    name: string,
    pick: (e: Risks) => number,
  ): Sample => parts.sample(`${of}: ${name}`, pick);
  const largest = ({ test }: Risks) => Math.max(...test.map(log10));
  const last = ({ test }: Risks) => log10(test[test.length - 1]);
  const classical = ({ parameters, test }: Risks) =>
    Math.min(...test.filter((_, i) => parameters[i] < threshold).map(log10));
  const fit = ({ parameters, train }: Risks) =>
    Math.max(...train.filter((_, i) => parameters[i] >= threshold).map(log10));
  const claim = (
    text: string,
    published: string,
    judge: (parts: Parts<Noise | Steps, Risks>) => ReturnType<Claim['judge']>,
  ): Claim => ({
    text: `${of}: ${text}`,
    published,
    source,
    judge: (m) => judge(m.parts(experiment as Some)),
  });
  return [
    claim(
      'the test risk peaks where there are as many parameters as examples, within a quarter',
      `at ${threshold}`,
      (parts) =>
        near(
          sample(
            parts,
            'parameters at the peak, over examples',
            ({ parameters, test }) => parameters[test.indexOf(Math.max(...test))] / threshold,
          ),
          1,
          0.25,
        ),
    ),
    claim(
      'the peak is over twice the best risk of fewer parameters',
      'U-shaped, then a peak',
      (parts) =>
        above(
          sample(parts, 'log₁₀ risk at the peak', largest),
          sample(parts, 'log₁₀ of the best before it', classical),
          Math.log10(2),
        ),
    ),
    claim(
      'past it the risk falls again, to less than half of the peak’s',
      'a second descent',
      (parts) =>
        below(
          sample(parts, 'log₁₀ risk at the most parameters', last),
          sample(parts, 'log₁₀ risk at the peak', largest),
          Math.log10(2),
        ),
    ),
    claim(
      'with the most parameters the risk is below the best of fewer than examples',
      'often lower',
      (parts) =>
        below(
          sample(parts, 'log₁₀ risk at the most parameters', last),
          sample(parts, 'log₁₀ of the best before', classical),
        ),
    ),
    claim('from the threshold on the examples are fitted', 'training risk 0', (parts) =>
      below(
        sample(parts, 'log₁₀ of the largest training risk from there on', fit),
        constant(`${exact}`, exact),
      ),
    ),
  ];
}

export const doubleDescent: Study = {
  name: 'double-descent',
  title: 'Double descent',
  about: [
    'The risk on unseen inputs against the number of parameters: polynomials, random features and networks, through the point at which they can fit every example and far beyond it.',
    'Risks vary by orders of magnitude between seeds, so figures have medians and claims compare logarithms.',
  ],
  comparisons: [],
  grids: [],
  experiments: [polynomials, randomFeatures, networks],
  claims: [
    ...claimsOf(polynomials, { of: 'polynomials', threshold: POINTS, source: LECTURE, exact: -12 }),
    ...claimsOf(randomFeatures, {
      of: 'random features',
      threshold: ROWS,
      source: BELKIN,
      exact: -12,
    }),
    {
      text: 'random features: with the best ridge penalty the risk at the threshold is not above that at half as many features',
      published: 'no peak',
      source: NAKKIRAN,
      judge: (m) => {
        const parts = m.parts(randomFeatures);
        const at = (width: number) =>
          parts.sample(`log₁₀ risk at ${width} features, best ridge`, ({ parameters, ridge }) =>
            log10(ridge[parameters.indexOf(width)]),
          );
        return below(at(ROWS), at(ROWS / 2));
      },
    },
    ...claimsOf(networks, { of: 'networks', threshold: THRESHOLD, source: BELKIN, exact: -3 }),
  ],
};
