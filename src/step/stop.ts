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
  return new FlatminError('FLATMIN_NUMERICS', describe(reason, tensor, step));
}

function describe(reason: number, tensor: string, step: number): string {
  switch (reason) {
    case 1:
      return `The gradient of "${tensor}" is not finite at step ${step}. Parameters are as before that step. Help: lower the learning rate, clip gradients, or set onNonFinite to "skip".`;
    case 2:
      return `A matrix root or inverse of "${tensor}" failed three times in a row, last at step ${step}. Parameters are as before that step. Help: raise the method's epsilon, ridge or damping.`;
    case 4:
      return `The gradient of "${tensor}" is so large that the method's state would leave float32's range at step ${step}. Parameters and state are as before that step. Help: scale the loss, clip gradients, or set onNonFinite to "skip".`;
    case 5:
      return lossStop(step);
    case 6:
      return `The polar factor of "${tensor}" did not converge at step ${step}. Parameters are as before that step. Help: use an iteration, method "newton-schulz" or "polar-express"; and please report the matrix.`;
    default:
      return `A matrix statistic of "${tensor}" is not finite at step ${step}. Parameters are as before that step. Help: squares of its gradients or inputs leave float32's range; scale the loss or the data.`;
  }
}

/** What a loss that is not finite says. */
export const lossStop = (step: number): string =>
  `The loss is not finite at step ${step}. Parameters are as before that step. Help: look for numbers that are not finite in the batch, labels outside the model's outputs and logarithms of 0, lower the learning rate, or set onNonFinite to "skip".`;
