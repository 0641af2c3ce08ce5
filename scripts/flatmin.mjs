#!/usr/bin/env node
// The command line. In a clone installed with --ignore-scripts it compiles itself first.
import { existsSync } from 'node:fs';

const main = new URL('../dist/cli/main.js', import.meta.url);
if (!existsSync(main)) await import('./compile.mjs');
if (existsSync(main)) await import(main.href);
