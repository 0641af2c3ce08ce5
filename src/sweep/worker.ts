/** A process of `processRunner`: gets its work and then trials one by one, and ends with its parent. */
import { FlatminError } from '../errors.ts';
import type { LocalWork } from './local-runner.ts';
import { outcomeOf } from './outcome.ts';
import type { Answer, Order } from './process-runner.ts';

const send = (answer: Answer) => process.send?.(answer);

let work: Promise<LocalWork> | undefined;

process.on('message', async (order: Order) => {
  if ('module' in order) {
    work = import(order.module).then(({ default: make }) => make(order.context, order.environment));
    // Told with the first trial, which waits for it.
    work.catch(() => {});
    return;
  }
  let run: LocalWork;
  try {
    run = (await work) as LocalWork;
  } catch (error) {
    const known = error instanceof FlatminError;
    send({
      unable: error instanceof Error ? error.message : String(error),
      code: known ? error.code : undefined,
    });
    return;
  }
  send({ outcome: await outcomeOf(run, order) });
});

// Its parent decides what a signal from the terminal means.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit());
