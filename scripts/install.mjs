// npm's install script: a native build where the machine allows one, else one line; never a failure.
import { buildNative } from './build.mjs';
import { describeBuild } from './report.mjs';

try {
  const outcome = await buildNative({ retry: false });
  if (outcome.fresh || outcome.builder === 'js') console.log(describeBuild(outcome));
} catch (error) {
  const remedy = 'run "npx flatmin build" once that is mended';
  console.log(`flatmin: no native build, JavaScript will do the work: ${error.message}; ${remedy}`);
}
