/** The two coefficients of K-FAC's step, against the minimum of its model as a parabola of each. */
import { kfacModel } from '../../../src/ops/kfac_model.ts';
import { f32, random } from '../data.ts';
import type { Case } from '../harness.ts';

interface Given {
  readonly sizes: readonly number[];
  /** UᵀFU, UᵀFδ₀, δ₀ᵀFδ₀. */
  readonly curvatures: readonly [number, number, number];
  readonly damping?: number;
  readonly weightDecay?: number;
  readonly u?: number;
  /** δ₀ = this · U, instead of drawn. */
  readonly along?: number;
}

const model = (name: string, given: Given): Case => {
  const { sizes, curvatures, damping = 0.1, weightDecay = 0.01, u = 1, along } = given;
  return {
    op: 'kfacModel',
    name,
    inputs: [
      ...curvatures.map((c) => f32([], [c])),
      f32([], [damping]),
      ...sizes.flatMap((n, i) => {
        const proposal = random(n, { seed: 30 + i }).map((x) => u * x);
        const last = random(n, { seed: 50 + i });
        return [
          random(n, { seed: 40 + i }).map((x, k) => 0.2 * x + proposal[k]),
          proposal,
          along === undefined ? last : proposal.map((x) => along * x),
        ].map((x) => f32([n], x));
      }),
    ],
    build: ([uFu, uFd, dFd, lambda, ...tensors]) => {
      const layers = sizes.map((_, i) => {
        const [v, proposal, last] = tensors.slice(3 * i, 3 * i + 3);
        return { v, u: proposal, last };
      });
      const step = kfacModel([uFu, uFd, dFd], lambda, layers, weightDecay);
      return [step.alpha, step.mu, step.change];
    },
    oracle: ([uFu, uFd, dFd, lambda, ...tensors]) => {
      const join = (place: number) =>
        tensors.flatMap((x, i) => (i % 3 === place ? [x] : [])).flatMap((x) => [...x]);
      const dot = (x: readonly number[], y: readonly number[]) =>
        x.reduce((sum, a, i) => sum + a * y[i], 0);
      const [v, proposal, last] = [join(0), join(1), join(2)];
      const shift = lambda[0] + weightDecay;
      const a = uFu[0] + shift * dot(proposal, proposal);
      const b = uFd[0] + shift * dot(proposal, last);
      const c = dFd[0] + shift * dot(last, last);
      // Along U, then along what of δ₀ is conjugate to U.
      const first = a > 0 ? dot(v, proposal) / a : 0;
      const conjugate = a > 0 ? c - (b * b) / a : c;
      const apart = conjugate > 1e-6 * c;
      const mu = apart ? (b * first - dot(v, last)) / conjugate : 0;
      const alpha = first + (a > 0 ? (mu * b) / a : 0);
      const at = (x: number, y: number) =>
        y * dot(v, last) - x * dot(v, proposal) + 0.5 * (x * x * a - 2 * x * y * b + y * y * c);
      return [[alpha], [mu], [at(alpha, mu)]];
    },
    tolerance: { rel: 2e-6 },
  };
};

export const cases: Case[] = [
  model('one number', { sizes: [1], curvatures: [2, 0.5, 3] }),
  ...[[0], [5], [17, 0, 3], [2048, 33], [5000, 16384, 7]].map((sizes) =>
    model(`[${sizes}]`, { sizes, curvatures: [20, -3, 8] }),
  ),
  model('without damping', { sizes: [9], curvatures: [4, 1, 2], damping: 0, weightDecay: 0 }),
  model('no last update', { sizes: [9], curvatures: [4, 0, 0], along: 0 }),
  model('a last update along U', { sizes: [9], curvatures: [4, -2, 1], along: -0.5 }),
  model('nothing proposed', { sizes: [9], curvatures: [0, 0, 0], u: 0, along: 0 }),
  model('large', { sizes: [9], curvatures: [1e30, 1e29, 1e30], damping: 1e20 }),
];
