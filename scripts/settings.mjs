#!/usr/bin/env node
/**
 * Sweeps by which the tasks' settings are chosen: `node scripts/settings.mjs OUT [task[/method] …]` runs `flatmin sweep` over the grids
 * below, each in a folder of OUT in which it goes on when it is started again, and writes what came out to
 * docs/results/settings.json. Points are judged on validation rows alone. FLATMIN_DATA names the data.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Rates in steps of about √10 around each method's usual one, and decays. */
const GRIDS = {
  sgd: { lr: [0.03, 0.1, 0.3, 1], weightDecay: [0, 3e-4, 3e-3] },
  sam: { lr: [0.03, 0.1, 0.3, 1], weightDecay: [0, 3e-4], rho: [0.05, 0.1] },
  lion: { lr: [1e-4, 3e-4, 1e-3, 3e-3], weightDecay: [0, 0.01, 0.1] },
  kfac: { lr: [0.01, 0.03, 0.1, 0.3], weightDecay: [0, 1e-3], damping: [1e-3, 1e-2] },
  shampoo: { lr: [0.03, 0.1, 0.3, 1], weightDecay: [0, 1e-4, 1e-3] },
  adadelta: { lr: [0.3, 1, 3], weightDecay: [0, 1e-4] },
  adagrad: { lr: [0.01, 0.03, 0.1], weightDecay: [0, 1e-4] },
  adam: { lr: [3e-4, 1e-3, 3e-3, 1e-2], weightDecay: [0, 1e-4] },
  amsgrad: { lr: [3e-4, 1e-3, 3e-3, 1e-2], weightDecay: [0, 1e-4] },
  adamw: { lr: [3e-4, 1e-3, 3e-3, 1e-2], weightDecay: [0.01, 0.1] },
  enim: { lr: [1e-4, 3e-4, 1e-3, 3e-3], weightDecay: [0, 0.01, 0.1] },
  'lion-k': { lr: [1e-3, 3e-3, 1e-2], weightDecay: [0, 0.01] },
  muon: { lr: [1e-3, 3e-3, 1e-2], weightDecay: [0.01, 0.1] },
  'norm-descent': { lr: [3e-3, 1e-2, 3e-2], momentum: [0, 0.9] },
  rmsprop: { lr: [3e-4, 1e-3, 3e-3], weightDecay: [0, 1e-4] },
  asam: { lr: [0.03, 0.1, 0.3], rho: [0.5, 1] },
  looksam: { lr: [0.03, 0.1, 0.3], rho: [0.05, 0.1] },
  momentum: { lr: [3e-3, 1e-2, 3e-2, 0.1], weightDecay: [0, 3e-4] },
  nesterov: { lr: [3e-3, 1e-2, 3e-2, 0.1], weightDecay: [0, 3e-4] },
  soap: { lr: [1e-3, 3e-3, 1e-2], weightDecay: [0, 0.01] },
};

/** A few rates of each, for work that takes longer. */
const rates = (names, count) =>
  Object.fromEntries(names.map((name) => [name, { lr: GRIDS[name].lr.slice(0, count) }]));
/** One point: what the study published. */
const published = (...names) => Object.fromEntries(names.map((name) => [name, {}]));
const others = (...names) => Object.keys(GRIDS).filter((name) => !names.includes(name));

const STUDIED = ['sgd', 'sam', 'lion', 'kfac', 'shampoo'];
const TABLE = { grids: GRIDS, flags: ['--seeds', '3'] };

const PLANS = {
  titanic: TABLE,
  spambase: TABLE,
  mushroom: { ...TABLE, grids: { ...GRIDS, 'norm-descent': { lr: [3e-3, 1e-2] } } },
  digits: {
    grids: { ...published(...STUDIED), ...rates(others(...STUDIED), 3) },
    flags: ['--examples', '10000', '--test-examples', '2000', '--epochs', '2'],
  },
  entities: {
    grids: {
      ...published('sgd', 'sam', 'lion', 'kfac'),
      // Its usual blocks and roots would take minutes an epoch on an embedding.
      shampoo: {
        lr: [0.03, 0.1],
        epsilon: [0.01],
        graft: ['sgd'],
        blockSize: [128],
        statisticsEvery: [10],
        rootsEvery: [100],
      },
      ...rates(others(...STUDIED), 3),
    },
    flags: ['--examples', '2000', '--epochs', '2'],
  },
  images: {
    grids: {
      ...published('sgd', 'sam', 'lion', 'kfac'),
      shampoo: { lr: [2, 0.05], graft: ['none', 'sgd'], weightDecay: [5e-4], rootsEvery: [50] },
      ...rates(['adamw', 'nesterov', 'muon', 'soap'], 2),
      ...rates(others(...STUDIED, 'adamw', 'nesterov', 'muon', 'soap'), 2),
    },
    flags: ['--width', '16', '--examples', '2000', '--test-examples', '1000', '--epochs', '3'],
  },
};

const [out, ...chosen] = process.argv.slice(2);
if (out === undefined) {
  process.stderr.write('usage: node scripts/settings.mjs OUT [task[/method] …]\n');
  process.exit(2);
}
const file = join(root, 'docs', 'results', 'settings.json');
const kept = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
for (const name of chosen.length > 0 ? chosen : Object.keys(PLANS)) {
  const [task, only] = name.split('/');
  const { grids, flags } = PLANS[task];
  for (const [method, grid] of Object.entries(grids)) {
    if (only !== undefined && only !== method) continue;
    const folder = join(out, task, method);
    const own = Object.entries(grid).flatMap(([name, values]) => [
      '--grid',
      `${name}=${values.join(',')}`,
    ]);
    const args = ['sweep', task, '--optimizer', method, ...own, ...flags];
    const { status } = spawnSync(
      process.execPath,
      [join(root, 'scripts', 'flatmin.mjs'), ...args, '--out', folder, '--resume', '--json'],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    if (status !== 0) {
      process.stderr.write(`${task} ${method}: the sweep failed\n`);
      continue;
    }
    kept[task] = { ...kept[task], [method]: summary(args, folder) };
    writeFileSync(file, `${JSON.stringify(kept, null, 1)}\n`);
  }
}

process.stdout.write(
  Object.entries(kept)
    .map(([task, methods]) => tableOf(task, methods))
    .join('\n'),
);

/** A task's methods as a table in Markdown. */
function tableOf(task, methods) {
  const figures = ['validation.accuracy', 'test.accuracy', 'test.f1'].filter((name) =>
    Object.values(methods).some(({ best }) => best?.[name] !== undefined),
  );
  const header = ['method', 'points × seeds', 'best', ...figures, 'worst point', 'diverged'];
  const rows = Object.entries(methods).map(
    ([method, { points, trials, best, worst, diverged }]) => [
      method,
      `${points} × ${trials / points}`,
      settingOf(best?.values),
      ...figures.map((name) => best?.[name] ?? '–'),
      points > 1 ? (worst?.['validation.accuracy'] ?? '–') : '–',
      diverged,
    ],
  );
  const lines = [header, header.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`);
  return `## ${task}\n\n${lines.join('\n')}\n`;
}

function settingOf(values) {
  if (values === undefined) return 'none';
  const named = Object.entries(values).map(([name, value]) => `${name} ${value}`);
  return named.length === 0 ? 'as published' : named.join(', ');
}

/** The best point by mean validation accuracy, the one of the lesser loss among equals, and how all did. */
function summary(args, folder) {
  const lines = readFileSync(join(folder, 'trials.jsonl'), 'utf8').trimEnd().split('\n');
  const trials = lines.map((line) => JSON.parse(line));
  const points = new Map();
  for (const trial of trials) {
    points.set(trial.point, [...(points.get(trial.point) ?? []), trial]);
  }
  const ranked = [...points.values()]
    .filter((of) => of.every(({ status }) => status === 'done'))
    .map((of) => {
      const mean = (name) => {
        const sum = of.reduce((total, { measures }) => total + Number(measures[name]), 0);
        return Number((sum / of.length).toFixed(4));
      };
      const measures = Object.keys(of[0].measures);
      return { values: of[0].values, ...Object.fromEntries(measures.map((m) => [m, mean(m)])) };
    })
    .filter((point) => Number.isFinite(point['validation.loss']))
    .sort(
      (a, b) =>
        b['validation.accuracy'] - a['validation.accuracy'] ||
        a['validation.loss'] - b['validation.loss'],
    );
  return {
    command: `flatmin ${args.join(' ')}`,
    points: points.size,
    trials: trials.length,
    diverged: trials.filter(({ status }) => status === 'diverged').length,
    failed: trials.filter(({ status }) => status === 'failed').length,
    best: ranked[0],
    worst: ranked.at(-1),
  };
}
