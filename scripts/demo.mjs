// Trains all five methods on handwritten digits and prints their table: under three minutes on two cores.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { addonPath } from './record.mjs';

// JavaScript is some fifty times slower than the native addon.
const size = existsSync(addonPath)
  ? ['--epochs', '4']
  : ['--epochs', '2', '--examples', '3000', '--test-examples', '1000'];
const flatmin = new URL('flatmin.mjs', import.meta.url);
const train = ['train', 'digits', '--optimizer', 'all', ...size];
process.argv = [process.execPath, fileURLToPath(flatmin), ...train, ...process.argv.slice(2)];
await import(flatmin.href);
