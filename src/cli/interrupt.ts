import { FlatminError } from '../errors.ts';

const EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

/**
 * Runs work that the first SIGINT, SIGTERM or SIGHUP stops in good order, with its exit code; a second one
 * ends the process at once.
 */
export async function interruptible(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  const stop = (name: NodeJS.Signals) => {
    release();
    controller.abort(name);
  };
  const release = () => {
    for (const name of Object.keys(EXIT_CODES)) process.removeListener(name, stop);
  };
  for (const name of Object.keys(EXIT_CODES)) process.on(name, stop);
  try {
    await work(controller.signal);
  } catch (error) {
    const stopped = error instanceof FlatminError && error.code === 'FLATMIN_ABORTED';
    if (!stopped) throw error;
    process.stderr.write(`flatmin: ${error.message}\n`);
    process.exitCode = EXIT_CODES[controller.signal.reason as keyof typeof EXIT_CODES];
  } finally {
    release();
  }
}
