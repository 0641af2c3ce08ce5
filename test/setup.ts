import { setImmediate } from 'node:timers/promises';
import { afterEach } from 'vitest';

/** The addon's garbage, stores and programs, is freed between turns of the event loop. */
afterEach(() => setImmediate());
