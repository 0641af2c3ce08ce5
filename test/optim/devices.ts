import { loadAddon } from '../../src/backend/native/addon.ts';

const { reason } = loadAddon();

/** The devices that optimizers are tested on; one that is not there carries the reason, in its title too. */
export const devices = [
  { device: 'js', title: 'js', missing: null },
  { device: 'cpu', title: reason === null ? 'cpu' : `cpu, skipped: ${reason}`, missing: reason },
] as const;

/** Those that are there. */
export const present = devices.flatMap(({ device, missing }) => (missing === null ? [device] : []));
