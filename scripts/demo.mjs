// Trains all five methods on handwritten digits, prints their table and writes a report of the runs: under three minutes on
// two cores.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { addonPath } from './record.mjs';

const given = process.argv.slice(2);
const inJavaScript = !existsSync(addonPath) || /--device[ =]js\b/.test(given.join(' '));
// JavaScript is some fifty times slower than the native addon: few examples, in small batches for more steps.
const size = inJavaScript
  ? ['--epochs', '2', '--examples', '3000', '--test-examples', '1000', '--batch', '25']
  : ['--epochs', '4'];

const named = parseArgs({ args: given, options: { out: { type: 'string' } }, strict: false });
const now = new Date().toISOString().slice(0, 19).replaceAll(':', '-');
const out = named.values.out || join('runs', `demo-${now}`);

const flatmin = new URL('flatmin.mjs', import.meta.url);
const script = fileURLToPath(flatmin);
const train = ['train', 'digits', '--optimizer', 'all', ...size, '--out', out];
process.argv = [process.execPath, script, ...train, ...given];
await import(flatmin.href);

if (!process.exitCode) {
  process.stderr.write('\nA report of these runs, for your browser:\n');
  const report = ['report', out, '--out', join(out, 'report')];
  const { status } = spawnSync(process.execPath, [script, ...report], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
}
