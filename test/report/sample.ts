import { contoursOf } from '../../src/report/contours.ts';
import type { Report } from '../../src/report/report.ts';

/** What names may hold: markup, ends of scripts, quotes, templates, separators of lines, names of JavaScript's own. */
export const HOSTILE = [
  '<script>window.hacked=1</script>',
  '</script><img src=x onerror="window.hacked=1">',
  `"'\`&quot;`,
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a template in data
  '${window.hacked=1}{{7*7}}',
  'line\u2028and\u2029paragraph\u0000',
  '__proto__',
  'constructor',
  'a.b[0]',
];

/** Every kind of section, of data made up here. */
export function sample(methods: readonly string[]): Report {
  const seeds = [0, 1, 2];
  const wave = (m: number, k: number, seed: number) => Math.sin(7 * m + 3 * k + 11 * seed);
  const series = methods.flatMap((method, m) =>
    seeds.map((seed) => ({
      method,
      run: `${method}/seed${seed}`,
      seed,
      points: Array.from({ length: m === 1 && seed === 2 ? 9 : 20 }, (_, k): [number, number] => [
        k + 1,
        m === 2 && seed === 1 && k > 12
          ? Number.NaN
          : 2 * Math.exp(-k / (4 + m)) + 0.05 * (1.5 + wave(m, k, seed)),
      ]),
    })),
  );
  const rates = [1e-4, 1e-3, 1e-2, 1e-1];
  return {
    title: `Methods ${methods[0]} and others`,
    subtitle: 'Made-up numbers in every kind of section',
    provenance: [
      {
        command: `flatmin report "${methods[0]}"`,
        machine: 'two cores',
        commit: 'abc1234',
        date: '2026-01-02',
      },
    ],
    sections: [
      {
        kind: 'text',
        heading: 'What this is',
        paragraphs: [`All of ${methods.join(', ')}.`, 'More.'],
      },
      {
        kind: 'claims',
        heading: 'Claims',
        claims: (['borne out', 'not borne out', 'not decided by these runs'] as const).map(
          (verdict, i) => ({
            text: `${methods[0]} reaches the target before ${methods[1]}`,
            published: '1.9 times',
            verdict,
            because: `ratio 0.4${i} (0.3 … 0.5)`,
            source: 'table 2',
          }),
        ),
      },
      {
        kind: 'table',
        heading: 'Results',
        caption: `Means of ${methods[0]}`,
        columns: [
          { name: 'method' },
          { name: 'accuracy', numeric: true },
          { name: 'seconds', numeric: true },
        ],
        rows: methods.map((method, m) => [
          method,
          (90 + ((m * 5) % 8)) / 100,
          m === 1 ? null : 1200.5 * (8 - m),
        ]),
      },
      {
        kind: 'curves',
        heading: 'Loss by epoch',
        caption: `With ${methods[0]}`,
        x: 'epoch',
        y: 'test loss',
        logY: true,
        target: 0.3,
        series,
      },
      {
        kind: 'curves',
        heading: 'Accuracy by seconds',
        nearOne: true,
        x: `seconds of ${methods[0]}`,
        y: methods[1],
        series: series.map((each) => ({
          ...each,
          points: each.points.map(([x, y]) => [x * (1 + 0.1 * each.seed), 1 - y / 3]),
        })),
      },
      {
        kind: 'bars',
        heading: 'Seconds to target',
        x: 'seconds',
        values: ['digits', methods[0]].flatMap((group, g) =>
          methods.map((method, m) => ({
            method,
            group,
            value: m === 3 ? null : 3 + ((m * 5 + g) % 7),
            low: m === 3 ? undefined : 2.5 + ((m * 5 + g) % 7),
            high:
              m === 3 ? undefined : m === 2 ? Number.POSITIVE_INFINITY : 3.4 + ((m * 5 + g) % 7),
          })),
        ),
        reference: 4,
      },
      {
        kind: 'profile',
        heading: 'Performance profile',
        series: methods.map((method, m) => ({
          method,
          points:
            m === 0
              ? [
                  [1, 0.5],
                  [1.4, 1],
                ]
              : [
                  [1 + m / 3, 0.25],
                  [2 + m, 0.5 + (m % 2) / 4],
                ],
        })),
      },
      {
        kind: 'sensitivity',
        heading: 'Sensitivity to the learning rate',
        x: 'learning rate',
        y: 'accuracy',
        better: 'high',
        series: methods.map((method, m) => ({
          method,
          points: rates.map((x, i) => {
            const y =
              m === 1 && i === 3 ? Number.NaN : 0.95 - 0.012 * m - 0.1 * (i - 1 - (m % 2)) ** 2;
            return { x, y, low: y - 0.02, high: y + 0.02 };
          }),
        })),
      },
      {
        kind: 'heatmap',
        heading: `Grid of ${methods[2]}`,
        x: 'learning rate',
        y: methods[0],
        measure: 'accuracy',
        better: 'high',
        cells: rates.flatMap((x, i) =>
          [0, 0.5, 0.9, 0.99].map((y, j) => ({
            x,
            y,
            value: i === 3 && j === 3 ? null : 0.6 + 0.1 * Math.sin(i + 2 * j) + 0.02 * i,
          })),
        ),
      },
      {
        kind: 'boxes',
        heading: 'Spread over seeds',
        x: 'test accuracy',
        values: methods.flatMap((method, m) =>
          [0, 1, 2, 3, 4].map((seed) => ({
            method,
            run: `${method}/seed${seed}`,
            value: 0.97 + 0.002 * m + 0.003 * wave(m, 1, seed),
          })),
        ),
      },
      {
        kind: 'scatter',
        heading: 'Points',
        x: 'steps',
        y: methods[2],
        logX: true,
        references: [
          {
            name: methods[0],
            points: [
              [1, 0],
              [100, 1],
            ],
          },
        ],
        values: methods.flatMap((method, m) =>
          rates.map((rate, i) => ({
            method,
            run: `${method} ${i}`,
            x: 1 / rate,
            y: wave(m, i, 0),
          })),
        ),
      },
      {
        kind: 'histogram',
        heading: 'Histogram',
        x: methods[1],
        mark: { name: methods[3], x: 0.5 },
        series: methods.map((method, m) => ({
          method,
          values: Array.from({ length: 50 }, (_, k) => wave(m, k, 1)),
        })),
      },
      {
        kind: 'heatmap',
        heading: 'Matrix',
        x: 'column',
        y: 'row',
        measure: methods[0],
        scale: 'diverging',
        downwards: true,
        cells: Array.from({ length: 40 * 40 }, (_, k) => ({
          x: k % 40,
          y: Math.floor(k / 40),
          value: Math.sin(k),
        })),
      },
      {
        kind: 'landscape',
        heading: 'Field',
        x: 'θ₁',
        y: 'θ₂',
        domain: { x: [-2, 2], y: [-2, 2] },
        contours: contoursOf((x, y) => x * x + y, { x: [-2, 2], y: [-2, 2] }, [0, 1, 2]),
        field: rates.map((rate, i) => ({ x: i - 1.5, y: rate, dx: 0.3, dy: 0.2 })),
        outlines: [
          {
            method: methods[1],
            points: [
              [-1, 0],
              [0, 1],
              [1, 0],
              [0, -1],
            ],
          },
        ],
        paths: methods.slice(0, 3).map((method, m) => ({
          method,
          points: Array.from({ length: 30 }, (_, k): [number, number] => [
            1.5 * 0.9 ** k,
            (m / 4) * 0.8 ** k,
          ]),
        })),
        animated: true,
        width: 300,
        height: 300,
      },
      {
        kind: 'landscape',
        heading: 'Paths',
        x: methods[0],
        y: 'θ₂',
        domain: { x: [-2, 2], y: [-2, 2] },
        contours: [4, 1].map((level) => ({
          level,
          points: Array.from({ length: 24 }, (_, i): [number, number] => [
            Math.sqrt(level) * Math.cos((Math.PI * i) / 12),
            Math.sqrt(level) * Math.sin((Math.PI * i) / 12),
          ]),
          label: [0, Math.sqrt(level)],
        })),
        minimum: [0, 0],
        paths: methods.map((method, m) => ({
          method,
          points: Array.from({ length: 9 }, (_, k): [number, number] => [
            1.5 * 0.7 ** k,
            (m / 4) * 0.5 ** k,
          ]),
        })),
      },
    ],
  };
}
