// What a build came to, in one line.
import { addonPath } from './record.mjs';

const names = { gyp: 'node-gyp, CPU only', cmake: 'cmake-js' };

export function describeBuild({ builder, reason, remedy, fresh }) {
  const again = 'then run "npx flatmin build"';
  const why = remedy === null ? reason : `${reason}; ${remedy}, ${again}`;
  if (builder === 'js') return `flatmin: no native build, JavaScript will do the work: ${why}`;
  const state = fresh ? 'native build done' : 'native build is current';
  return `flatmin: ${state} (${names[builder]}): ${reason === null ? addonPath : why}`;
}
