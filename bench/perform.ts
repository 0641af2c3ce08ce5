// One piece of flatmin's work in a process of its own: perform.js SUITE WORK DEVICE THREADS
import { WORKS } from './suites/index.ts';

const [suite, work, device, threads] = process.argv.slice(2);
const perform = WORKS[suite]?.[work];
if (perform === undefined) throw new Error(`No work "${work}" in suite "${suite}"`);
if (device !== 'js' && device !== 'cpu') throw new Error(`No device "${device}"`);
console.log(JSON.stringify(await perform({ device, threads: Number(threads) })));
