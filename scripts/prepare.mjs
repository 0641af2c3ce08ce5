// What npm runs in a clone, after an install there and before tests: a native build where the machine allows one,
// announced by a line, else one line of the reason; never a failure. Packages have no such script, and none is packed.
import { buildNative } from './build.mjs';
import { describeBuild, describePlan } from './report.mjs';

const packing = ['pack', 'publish'].includes(process.env.npm_command);

try {
  if (!packing) {
    const outcome = await buildNative({
      retry: false,
      announce: (wanted) => console.log(describePlan(wanted)),
    });
    if (outcome.fresh || outcome.builder === 'js') console.log(describeBuild(outcome));
  }
} catch (error) {
  const remedy = 'run "npx flatmin build" once that is mended';
  console.log(`flatmin: no native build, JavaScript will do the work: ${error.message}; ${remedy}`);
}
