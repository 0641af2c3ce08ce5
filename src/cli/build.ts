import { buildNative } from '../../scripts/build.mjs';
import { root } from '../../scripts/record.mjs';
import { describeBuild, describePlan } from '../../scripts/report.mjs';
import { FlatminError } from '../errors.ts';

/** Builds the native addon; resolves to the exit code, 1 when there is none in the end. */
export async function build(): Promise<number> {
  const outcome = await buildNative({
    retry: true,
    announce: (wanted) => process.stderr.write(`${describePlan(wanted)}\n`),
    tell: showProgress,
  }).catch((cause: NodeJS.ErrnoException) => {
    throw cause.syscall === undefined ? cause : cannotBuild(cause);
  });
  process.stdout.write(`${describeBuild(outcome)}\n`);
  const asked = outcome.builder !== 'js' || process.env.FLATMIN_BUILD === 'js';
  return asked ? 0 : 1;
}

/** A line that is written over on a terminal; elsewhere none, so that logs keep to the plan and the outcome. */
function showProgress({ begun, total }: { begun: number; total: number }): void {
  if (!process.stderr.isTTY) return;
  process.stderr.write(`\rfile ${begun} of ${total}${begun === total ? '\n' : ''}`);
}

/** The package's folder cannot be written to, or the disk is full. */
const cannotBuild = (cause: NodeJS.ErrnoException) =>
  new FlatminError(
    'FLATMIN_IO',
    `cannot build in ${root}: ${cause.message}; help: run the command as a user who may write there, or install flatmin where you may; without a build JavaScript does the work`,
    { cause },
  );
