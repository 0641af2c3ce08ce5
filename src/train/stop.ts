import type { Store } from '../backend/backend.ts';
import { FlatminError } from '../errors.ts';
import { STATUS, STATUS_KEY } from '../ops/status.ts';

/** The error that the status block stopped a run for; clears the block so that the next run may try again. */
export function stopError(store: Store, names: readonly string[]): FlatminError {
  const status = store.read(STATUS_KEY);
  const reason = status[STATUS.stop];
  const tensor = names[status[STATUS.tensor]] ?? `number ${status[STATUS.tensor]}`;
  const step = status[STATUS.step];
  status[STATUS.stop] = 0;
  store.write(STATUS_KEY, status);
  return new FlatminError(
    'FLATMIN_NUMERICS',
    reason === 1
      ? `The gradient of "${tensor}" is not finite at step ${step}. Parameters are as before that step. Help: lower the learning rate, clip gradients, or set onNonFinite to "skip".`
      : `The matrix root of "${tensor}" failed three times in a row, last at step ${step}. Help: raise epsilon or the ridge.`,
  );
}
