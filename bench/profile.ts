// What a LeNet-5 step spends where: node build/bench/profile.js [METHOD] [js|cpu] [THREADS]
import { Program } from '#flatmin/backend/program';
import { showType } from '#flatmin/graph/types';
import { batch, METHODS, type MethodName, trainingOf } from './digits.ts';
import { cores } from './flatmin.ts';
import { spread } from './runner.ts';
import { alignColumns, showSeconds } from './table.ts';

const [method = 'sgd', device = 'cpu', threads = String(cores)] = process.argv.slice(2);
if (!(method in METHODS)) {
  throw new Error(`No method "${method}"; there are ${Object.keys(METHODS).join(', ')}`);
}
if (device !== 'js' && device !== 'cpu') throw new Error(`No device "${device}"`);

const STEPS = device === 'js' ? 5 : 100;
const training = trainingOf(method as MethodName, STEPS, { device, threads: Number(threads) });
const [{ program: whole }] = training.steps.values();

// Every instruction a phase of its own: the same step, timed call by call where its section is due.
const { spec, graph } = whole.compiled;
const phases = spec.instructions.map((_, i) => i);
const program = new Program({ ...whole.compiled, spec: { ...spec, phases } }, training.store);
const times = phases.map((): number[] => []);
for (let step = 1; step <= STEPS; step++) {
  const moment = { step, epoch: 0, seed: 0, offset: (step - 1) * batch };
  const due = graph.sections.map((section) => section.due(step));
  for (const phase of phases) {
    if (!due[spec.instructions[phase].section]) continue;
    const started = performance.now();
    program.runSync([moment], [], phase);
    times[phase].push((performance.now() - started) / 1000);
  }
}

const perStep = times.map((list) => (spread(list).median * list.length) / STEPS);
const total = perStep.reduce((sum, seconds) => sum + seconds, 0);
const rows = spec.instructions.map(({ op, inputs, outputs, section }, i) => [
  op,
  showType(spec.buffers[[...outputs, ...inputs.slice(-1)][0]]),
  section === 0 ? '' : `${graph.sections[section].name}, ${times[i].length} of ${STEPS} steps`,
  showSeconds(spread(times[i]).median),
  `${((100 * perStep[i]) / total).toFixed(1)} %`,
]);
console.log(alignColumns([['op', 'operand', 'section', 'median', 'share'], ...rows], 'lllrr'));
console.log(`\n${showSeconds(total)} a step, each call with about 2 µs of its own`);
