// npm's install script: a native build where the machine allows one, announced by a line, else one line of the reason;
// never a failure. npm shows what it prints in a clone, and in a project with --foreground-scripts.
import { buildNative } from './build.mjs';
import { describeBuild, describePlan } from './report.mjs';

try {
  const outcome = await buildNative({
    retry: false,
    announce: (wanted) => console.log(describePlan(wanted)),
  });
  if (outcome.fresh || outcome.builder === 'js') console.log(describeBuild(outcome));
} catch (error) {
  const remedy = 'run "npx flatmin build" once that is mended';
  console.log(`flatmin: no native build, JavaScript will do the work: ${error.message}; ${remedy}`);
}
