/** Every method with the float64 oracle that it is compared with: the `cases` of all files of oracles. */
import { importAll } from '../conformance/collect.ts';
import type { Method } from './case.ts';

const ORACLES = new URL('../optim/oracles/', import.meta.url);
const modules = await importAll<{ cases?: readonly Method[] }>(ORACLES);

export const METHODS: readonly Method[] = modules.flatMap(({ cases = [] }) => cases);
