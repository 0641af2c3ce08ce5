import { buildNative } from '../../scripts/build.mjs';
import { describeBuild } from '../../scripts/report.mjs';

/** Builds the native addon; resolves to the exit code, 1 when there is none in the end. */
export async function build(): Promise<number> {
  if (process.stderr.isTTY) process.stderr.write('flatmin: building the native addon…\n');
  const outcome = await buildNative({ retry: true });
  process.stdout.write(`${describeBuild(outcome)}\n`);
  const asked = outcome.builder !== 'js' || process.env.FLATMIN_BUILD === 'js';
  return asked ? 0 : 1;
}
