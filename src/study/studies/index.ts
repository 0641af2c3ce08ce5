import type { Study } from '../study.ts';
import { doubleDescent } from './double-descent.ts';
import { fiveMethods } from './five-methods.ts';
import { lionGrid } from './lion-grid.ts';

export const STUDIES: readonly Study[] = [fiveMethods, lionGrid, doubleDescent];
