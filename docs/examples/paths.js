// The pictures of docs/optimizers.md: the paths of the real optimizers on a curved valley. After a build:
//   node docs/examples/paths.js [folder]
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  adagrad,
  adam,
  adamw,
  cosine,
  enim,
  lion,
  lionK,
  muon,
  normDescent,
  rmsprop,
  sam,
  sgd,
  shampoo,
  soap,
} from 'flatmin';
import { figurePicture } from '#flatmin/report/picture';

/** (1 − x)² + 5(y − x²)², a mild form of Rosenbrock's function; its minimum is at (1, 1). */
const value = (x, y) => (1 - x) ** 2 + 5 * (y - x * x) ** 2;
const gradient = (x, y) => [-2 * (1 - x) - 20 * x * (y - x * x), 10 * (y - x * x)];
const START = [-1.3, 0.4];
const STEPS = 60;

const DOMAIN = { x: [-1.8, 1.8], y: [-0.7, 2] };
const WIDTH = 440;
const HEIGHT = 300;
const LEVELS = [32, 16, 8, 4, 2, 1, 0.4, 0.1];

/** Methods whose steps have a length of their own shorten them towards the end. */
const shrinking = (lr) => cosine(lr, { steps: STEPS });

const METHODS = {
  sgd: (p, o) => sgd(p, { lr: 0.03, ...o }),
  momentum: (p, o) => sgd(p, { lr: 0.008, momentum: 0.9, ...o }),
  nesterov: (p, o) => sgd(p, { lr: 0.008, momentum: 0.9, nesterov: true, ...o }),
  adagrad: (p, o) => adagrad(p, { lr: 0.8, ...o }),
  rmsprop: (p, o) => rmsprop(p, { lr: 0.05, ...o }),
  adam: (p, o) => adam(p, { lr: 0.2, ...o }),
  adamw: (p, o) => adamw(p, { lr: 0.2, weightDecay: 0.1, ...o }),
  lion: (p, o) => lion(p, { lr: shrinking(0.08), ...o }),
  'lion-k': (p, o) => lionK(p, { lr: shrinking(0.06), K: { kind: 'huber', e: 1 }, ...o }),
  enim: (p, o) => enim(p, { lr: shrinking(0.06), ...o }),
  'norm-descent': (p, o) => normDescent(p, { lr: shrinking(0.16), norm: 'l1', ...o }),
  muon: (p, o) => muon(p, { lr: shrinking(0.12), momentum: 0.8, ...o }),
  shampoo: (p, o) => shampoo(p, { lr: 0.9, ...o }),
  soap: (p, o) => soap(p, { lr: 0.2, betas: [0.9, 0.9], ...o }),
  sam: (p, o) => sam(p, sgd({ lr: 0.03 }), { rho: 0.05, ...o }),
};

async function pathOf(bind) {
  const data = Float32Array.from(START);
  const optimizer = bind({ w: { data, shape: [2, 1] } }, { device: 'js' });
  const path = [[...data]];
  for (let step = 0; step < STEPS; step++) {
    await optimizer.step(() => ({
      loss: value(data[0], data[1]),
      grads: { w: Float32Array.from(gradient(data[0], data[1])) },
    }));
    path.push([...data]);
  }
  return path;
}

/** The line on which the value is `level`, in its own parameters: (1 − x)² = c cos²t, 5(y − x²)² = c sin²t. */
function contour(level) {
  const at = (t) => {
    const x = 1 + Math.sqrt(level) * Math.cos(t);
    return [x, x * x + Math.sqrt(level / 5) * Math.sin(t)];
  };
  const points = Array.from({ length: 96 }, (_, i) => at((2 * Math.PI * i) / 96));
  // Below the minimum, or above the middle for those that leave the picture there.
  const below = at(-Math.PI / 2);
  const middle = [0, Math.sqrt((level - 1) / 5)];
  const label = [below, middle].find(([, y]) => y > DOMAIN.y[0] + 0.1 && y < DOMAIN.y[1] - 0.1);
  return { level, points, label };
}

const draw = (name, path) =>
  figurePicture(
    {
      kind: 'landscape',
      heading: `${name}, ${STEPS} steps`,
      x: 'θ₁',
      y: 'θ₂',
      domain: DOMAIN,
      contours: LEVELS.map(contour),
      minimum: [1, 1],
      paths: [{ method: name, points: path }],
      height: HEIGHT,
    },
    WIDTH,
  );

/** Each method's picture by name. */
export async function pictures() {
  const drawn = Object.entries(METHODS).map(async ([name, bind]) => [
    name,
    `${await draw(name, await pathOf(bind))}\n`,
  ]);
  return Object.fromEntries(await Promise.all(drawn));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2] ?? fileURLToPath(new URL('../pictures', import.meta.url));
  for (const [name, picture] of Object.entries(await pictures())) {
    writeFileSync(`${folder}/${name}.svg`, picture);
  }
}
