import { loadAddon } from '../../src/backend/native/addon.ts';

const { reason } = loadAddon();

/** The devices that optimizers are tested on; one that is not there carries the reason. */
export const devices = [
  { device: 'js', missing: null },
  { device: 'cpu', missing: reason },
] as const;

/** Those that are there. */
export const present = devices.flatMap(({ device, missing }) => (missing === null ? [device] : []));
