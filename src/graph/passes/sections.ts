import { FlatminError } from '../../errors.ts';
import type { CompilerPass } from './draft.ts';

/** Throws where a value made in a section is read outside of it: it exists only in the steps that ran the section. */
export const checkSections: CompilerPass = (draft) => {
  for (const node of draft.nodes) {
    for (const input of node.inputs) {
      const from = input.node?.section ?? 0;
      if (from !== 0 && from !== node.section) {
        throw new FlatminError(
          'FLATMIN_ARGUMENT',
          `Op "${node.op.name}" reads a value of a section that may not have run. Keep it in the store.`,
        );
      }
    }
  }
  return draft;
};
