import { forEachNormal } from '../random/philox.ts';
import { STATUS } from './status.ts';
import { defineJointUpdate, type Tensors } from './update.ts';

/**
 * Lion with, for sign(c), a random rotation of d = c/‖c‖ by a fixed angle: u = √n(cos φ · d + sin φ · r/‖r‖),
 * r = z − (z·d)d, of each tensor, or of all as one vector. z is normal by (seed, stream + the tensor's number in
 * `tensors`, step, element), skipped steps not counted. u = √n d where r = 0, and 0 where c = 0.
 */
export const enimOp = defineJointUpdate<{
  lrSlot: number;
  seedSlot: number;
  stepSlot: number;
  stream: number;
  tensors: readonly number[];
  beta1: number;
  beta2: number;
  weightDecay: number;
  angle: number;
  global: number;
}>('enim', {
  state: () => 1,
  update: (tensors, attrs, row, status) => {
    const { beta1, beta2, weightDecay } = attrs;
    const lr = row[attrs.lrSlot];
    const taken = row[attrs.stepSlot] - status.data[STATUS.skipped];
    const blend = ([, g, m]: Tensors, i: number) => beta1 * m.data[i] + (1 - beta1) * g.data[i];
    const visit = (tensor: number, visitor: (element: number, c: number, z: number) => void) => {
      const stream = attrs.stream + attrs.tensors[tensor];
      const source = { seed: row[attrs.seedSlot], stream, step: taken };
      forEachNormal(source, tensors[tensor][0].size, (i, z) => {
        visitor(i, blend(tensors[tensor], i), z);
      });
    };
    const indices = [...tensors.keys()];
    for (const group of attrs.global ? [indices] : indices.map((i) => [i])) {
      const sums = { n: 0, cc: 0, zc: 0, zz: 0 };
      for (const tensor of group) {
        visit(tensor, (_, c, z) => {
          sums.n += 1;
          sums.cc += c * c;
          sums.zc += z * c;
          sums.zz += z * z;
        });
      }
      const { onC, onZ } = rotation(sums, attrs.angle);
      for (const tensor of group) {
        const [p, g, m] = tensors[tensor];
        visit(tensor, (i, c, z) => {
          p.data[i] -= lr * (onC * c + onZ * z + weightDecay * p.data[i]);
          m.data[i] = beta2 * m.data[i] + (1 - beta2) * g.data[i];
        });
      }
    }
  },
});

/** u = onC · c + onZ · z. */
function rotation(sums: { n: number; cc: number; zc: number; zz: number }, angle: number) {
  const { n, cc, zc, zz } = sums;
  const length = Math.sqrt(cc);
  if (length === 0) return { onC: 0, onZ: 0 };
  const along = zc / length;
  const rest = zz - along * along;
  if (n === 1 || rest <= 0) return { onC: Math.sqrt(n) / length, onZ: 0 };
  const onZ = (Math.sqrt(n) * Math.sin(angle)) / Math.sqrt(rest);
  return { onC: (Math.sqrt(n) * Math.cos(angle) - onZ * along) / length, onZ };
}
