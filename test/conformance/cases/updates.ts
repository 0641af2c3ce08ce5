/** Optimizer updates: several steps of several tensors against formulas in doubles. */
import type { Graph, Value } from '../../../src/graph/graph.ts';
import type { Moment } from '../../../src/graph/moment.ts';
import { adagradOp } from '../../../src/ops/adagrad.ts';
import { adamwOp } from '../../../src/ops/adamw.ts';
import { lionOp } from '../../../src/ops/lion.ts';
import { sgdOp } from '../../../src/ops/sgd.ts';
import { bf16 as rounded } from '../../optim/oracles/bf16.ts';
import { bf16, f32, i32, random, SIZES } from '../data.ts';
import type { Case, Tolerance } from '../harness.ts';

const MOMENTS: readonly Moment[] = Array.from({ length: 8 }, (_, i) => ({
  step: i + 1,
  epoch: 0,
  seed: 0,
  offset: 0,
}));
const lrAt = (step: number): number => 0.05 / step;

/** A few roundings of each step. */
const TOLERANCE: Tolerance = { rel: 2e-6, abs: 1e-6 };

/** One element's parameter, gradient and state → new parameter and state. */
type Rule = (p: number, g: number, state: number[], lr: number, t: number) => number;

/** One step of all tensors, each its parameter, gradient and state, in place. */
type JointRule = (tensors: readonly Float64Array[][], lr: number, moment: Moment) => void;

interface Update {
  readonly op: string;
  readonly name: string;
  readonly state: number;
  /** Default f32. */
  readonly stateType?: 'bf16';
  readonly trace: (graph: Graph, inputs: readonly Value[], lrSlot: number) => void;
  readonly rule: JointRule;
}

export const elementwise =
  (rule: Rule): JointRule =>
  (tensors, lr, { step }) => {
    for (const [p, g, ...state] of tensors) {
      p.forEach((v, i) => {
        const values = state.map((s) => s[i]);
        p[i] = rule(v, g[i], values, lr, step);
        values.forEach((value, k) => {
          state[k][i] = value;
        });
      });
    }
  };

export function updateCases({ op, name, state, stateType, trace, rule }: Update): Case[] {
  const width = 2 + state;
  const tensors = (sizes: readonly number[], bad?: number) =>
    sizes.flatMap((n, t) =>
      Array.from({ length: width }, (_, k) => {
        const data = k < 2 ? random(n, { seed: 20 + 4 * t + k, gap: 0.01 }) : new Float32Array(n);
        if (k === 1 && bad !== undefined && n > 0) data[0] = bad;
        return k > 1 && stateType === 'bf16' ? bf16([n], data) : f32([n], data);
      }),
    );
  const one = (
    label: string,
    sizes: readonly number[],
    status: readonly number[],
    bad?: number,
  ): Case => ({
    op,
    name: `${name}, ${label}`,
    inputs: [i32([8], status), ...tensors(sizes, bad)],
    build: (inputs, graph) => {
      trace(graph, inputs, graph.slot('lr', (m) => lrAt(m.step)).index);
      return inputs;
    },
    oracle: (inputs, moments) => {
      const out = inputs.map((x) => x.slice());
      if (status[0] !== 0 || status[1] !== 0) return out;
      const groups = Array.from({ length: (out.length - 1) / width }, (_, t) =>
        out.slice(1 + t * width, 1 + (t + 1) * width),
      );
      for (const moment of moments) rule(groups, lrAt(moment.step), moment);
      return out;
    },
    // After an infinite step all is lost in one way or another.
    moments: bad === undefined ? MOMENTS : MOMENTS.slice(0, 1),
    tolerance: TOLERANCE,
  });
  const going = [0, 0, 0, 0, 0, 0, 0, 0];
  return [
    one('one tensor of every size', SIZES, going),
    one('small tensors', [3, 17, 0, 33], going),
    one('no tensor', [], going),
    one('an infinite gradient', [5], going, Infinity),
    one('a NaN gradient', [5], going, NaN),
    one('stopped', [5], [1, 0, 0, 0, 0, 0, 0, 0]),
    one('a skipped step', [5], [0, 1, 0, 0, 1, 0, 0, 0]),
  ];
}

const sgd = (momentum: number, nesterov: number, weightDecay: number, decoupled: number): Case[] =>
  updateCases({
    op: 'sgd',
    name: `momentum ${momentum}, nesterov ${nesterov}, decay ${weightDecay}, decoupled ${decoupled}`,
    state: momentum === 0 ? 0 : 1,
    trace: (graph, inputs, lrSlot) =>
      graph.add(sgdOp, inputs, { lrSlot, momentum, nesterov, weightDecay, decoupled }),
    rule: elementwise((p, g, state, lr) => {
      const d = decoupled ? g : g + weightDecay * p;
      if (momentum !== 0) state[0] = momentum * state[0] + d;
      const plain = momentum === 0 ? d : state[0];
      const direction = momentum !== 0 && nesterov ? d + momentum * state[0] : plain;
      return (decoupled ? p - lr * weightDecay * p : p) - lr * direction;
    }),
  });

/** Of float32. */
const LARGEST = (2 - 2 ** -23) * 2 ** 127;
/** Sums of squares end at the largest float. */
const held = (v: number): number => Math.min(v, LARGEST);

const adamw = (weightDecay: number, decoupled: number, amsgrad: number): Case[] =>
  updateCases({
    op: 'adamw',
    name: `decay ${weightDecay}, decoupled ${decoupled}, amsgrad ${amsgrad}`,
    state: 2 + amsgrad,
    trace: (graph, inputs, lrSlot) =>
      graph.add(adamwOp, inputs, {
        lrSlot,
        stepSlot: graph.step.index,
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-8,
        weightDecay,
        decoupled,
        amsgrad,
      }),
    rule: elementwise((p, g, state, lr, t) => {
      const d = decoupled ? g : g + weightDecay * p;
      state[0] += (1 - 0.9) * (d - state[0]);
      state[1] = held(state[1] + (1 - 0.99) * (d ** 2 - state[1]));
      const mean = state[0] / (1 - 0.9 ** t);
      if (amsgrad) state[2] = Math.max(state[2], state[1]);
      const unbiased = state[1 + amsgrad] / (1 - 0.99 ** t);
      const deviation = unbiased > LARGEST ? Infinity : unbiased ** 0.5;
      const shrunk = decoupled ? p * (1 - lr * weightDecay) : p;
      return shrunk - (lr * mean) / (deviation + 1e-8);
    }),
  });

const lion = (weightDecay: number, stateType?: 'bf16'): Case[] =>
  updateCases({
    op: 'lion',
    name: `decay ${weightDecay}${stateType === undefined ? '' : `, momentum in ${stateType}`}`,
    state: 1,
    stateType,
    trace: (graph, inputs, lrSlot) =>
      graph.add(lionOp, inputs, { lrSlot, beta1: 0.9, beta2: 0.99, weightDecay }),
    rule: elementwise((p, g, state, lr) => {
      const c = 0.9 * state[0] + 0.1 * g;
      const direction = c > 0 ? 1 : c < 0 ? -1 : c;
      state[0] += 0.01 * (g - state[0]);
      if (stateType === 'bf16') state[0] = rounded(state[0]);
      return p * (1 - lr * weightDecay) - lr * direction;
    }),
  });

/** m ← β₂m + (1−β₂)g of zero parameters where one of both is all there is. */
const momentumOnly = (name: string, beta2: 0 | 1, g: Float32Array, m: Uint16Array): Case => ({
  op: 'lion',
  name: `bf16: ${name}`,
  inputs: [
    i32([8], [0, 0, 0, 0, 0, 0, 0, 0]),
    f32([g.length], new Float32Array(g.length)),
    f32([g.length], g),
    bf16([g.length], m),
  ],
  build: (inputs, graph) => {
    const lrSlot = graph.slot('lr', () => 0).index;
    graph.add(lionOp, inputs, { lrSlot, beta1: 0, beta2, weightDecay: 0 });
    return [inputs[3]];
  },
  oracle: ([, , grads, momentum]) => [beta2 === 1 ? momentum : grads.map(rounded)],
  tolerance: { rel: 0 },
});

const HALVES = Uint16Array.from({ length: 1 << 16 }, (_, half) => half);
/** Every seventh upper half with lower halves below, at and above a tie. */
const words = Array.from(HALVES).flatMap((half) =>
  half % 7 === 0 ? [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff].map((low) => half * 65536 + low) : [],
);
const floats = new Float32Array(Uint32Array.from(words).buffer);

const adagrad = (decay: number, weight: number, inside: number, decoupled: number): Case[] =>
  updateCases({
    op: 'adagrad',
    name: `decay ${decay}, ε inside √ ${inside}, decoupled ${decoupled}`,
    state: 1,
    trace: (graph, inputs, lrSlot) =>
      graph.add(adagradOp, inputs, {
        lrSlot,
        decay,
        weight,
        eps: 1e-3,
        epsInsideSqrt: inside,
        weightDecay: 0.1,
        decoupled,
      }),
    rule: elementwise((p, g, state, lr) => {
      const d = decoupled ? g : g + 0.1 * p;
      state[0] = held(decay * state[0] + weight * d ** 2);
      const root = inside ? Math.sqrt(state[0] + 1e-3) : Math.sqrt(state[0]) + 1e-3;
      return (decoupled ? p * (1 - lr * 0.1) : p) - (lr * d) / root;
    }),
  });

export const cases: Case[] = [
  ...sgd(0, 0, 0, 0),
  ...sgd(0, 0, 0.1, 0),
  ...sgd(0.9, 0, 0.1, 0),
  ...sgd(0.9, 1, 0.1, 0),
  ...sgd(0.9, 0, 0.1, 1),
  ...adamw(0, 1, 0),
  ...adamw(0.1, 1, 0),
  ...adamw(0.1, 0, 0),
  ...adamw(0.1, 0, 1),
  ...adagrad(1, 1, 0, 0),
  ...adagrad(0.75, 0.25, 1, 0),
  ...adagrad(0.75, 0.25, 0, 1),
  ...lion(0),
  ...lion(0.1),
  ...lion(0, 'bf16'),
  ...lion(0.1, 'bf16'),
  momentumOnly('every number stays', 1, new Float32Array(HALVES.length), HALVES),
  momentumOnly('rounds to the nearest', 0, floats, new Uint16Array(floats.length)),
];
