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

/** (1 − x)² + 5(y − x²)², a mild form of Rosenbrock's function; its minimum is at (1, 1). */
const value = (x, y) => (1 - x) ** 2 + 5 * (y - x * x) ** 2;
const gradient = (x, y) => [-2 * (1 - x) - 20 * x * (y - x * x), 10 * (y - x * x)];
const START = [-1.3, 0.4];
const STEPS = 60;

const WINDOW = { left: -1.8, right: 1.8, bottom: -0.7, top: 2 };
const SCALE = 110;
const WIDTH = (WINDOW.right - WINDOW.left) * SCALE;
const HEIGHT = (WINDOW.top - WINDOW.bottom) * SCALE;
const LEVELS = [0.1, 0.4, 1, 2, 4, 8, 16, 32];

/** Colours that can be read on white and on black. */
const CONTOUR = '#8a94a6';
const PATH = '#e8590c';
const MINIMUM = '#2b8a3e';

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

const place = ([x, y]) => [
  ((x - WINDOW.left) * SCALE).toFixed(0),
  ((WINDOW.top - y) * SCALE).toFixed(0),
];

/** A level line by marching squares: a segment wherever the level crosses two sides of a cell. */
function contour(level) {
  const cell = 0.09;
  let d = '';
  for (let x = WINDOW.left; x < WINDOW.right; x += cell) {
    for (let y = WINDOW.bottom; y < WINDOW.top; y += cell) {
      const corners = [
        [x, y],
        [x + cell, y],
        [x + cell, y + cell],
        [x, y + cell],
      ];
      const heights = corners.map(([a, b]) => value(a, b) - level);
      const crossings = corners.flatMap(([a, b], i) => {
        const j = (i + 1) % 4;
        if (heights[i] < 0 === heights[j] < 0) return [];
        const t = heights[i] / (heights[i] - heights[j]);
        return [[a + t * (corners[j][0] - a), b + t * (corners[j][1] - b)]];
      });
      for (let i = 0; i + 1 < crossings.length; i += 2) {
        d += `M${place(crossings[i]).join(' ')}L${place(crossings[i + 1]).join(' ')}`;
      }
    }
  }
  return `<path d="${d}" opacity="${(0.9 - 0.08 * LEVELS.indexOf(level)).toFixed(2)}"/>`;
}

const CONTOURS = LEVELS.map(contour).join('\n');

function draw(name, path) {
  const points = path.map(place);
  const dots = points.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="1.8"/>`).join('');
  const [sx, sy] = points[0];
  const [mx, my] = place([1, 1]);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img">
<title>${name}: ${STEPS} steps on a curved valley</title>
<g fill="none" stroke="${CONTOUR}" stroke-width="1">
${CONTOURS}
</g>
<path d="M${mx} ${my}m-6 0h12m-6 -6v12" stroke="${MINIMUM}" stroke-width="2.5"/>
<polyline points="${points.map((point) => point.join(',')).join(' ')}" fill="none" stroke="${PATH}" stroke-width="1.6" stroke-linejoin="round"/>
<g fill="${PATH}">${dots}</g>
<circle cx="${sx}" cy="${sy}" r="4.5" fill="none" stroke="${PATH}" stroke-width="1.6"/>
</svg>
`;
}

/** Each method's picture by name. */
export async function pictures() {
  const drawn = Object.entries(METHODS).map(async ([name, bind]) => [
    name,
    draw(name, await pathOf(bind)),
  ]);
  return Object.fromEntries(await Promise.all(drawn));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2] ?? fileURLToPath(new URL('../pictures', import.meta.url));
  for (const [name, picture] of Object.entries(await pictures())) {
    writeFileSync(`${folder}/${name}.svg`, picture);
  }
}
