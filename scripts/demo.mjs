// Trains all five methods on handwritten digits and prints their table: under three minutes on two cores.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { addonPath } from './record.mjs';

const given = process.argv.slice(2);
const inJavaScript = !existsSync(addonPath) || /--device[ =]js\b/.test(given.join(' '));
// JavaScript is some fifty times slower than the native addon: few examples, in small batches for more steps.
const size = inJavaScript
  ? ['--epochs', '2', '--examples', '3000', '--test-examples', '1000', '--batch', '25']
  : ['--epochs', '4'];
const flatmin = new URL('flatmin.mjs', import.meta.url);
const train = ['train', 'digits', '--optimizer', 'all', ...size];
process.argv = [process.execPath, fileURLToPath(flatmin), ...train, ...given];
await import(flatmin.href);
