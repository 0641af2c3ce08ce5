import type { Suite, Works } from '../suite.ts';
import * as kernels from './kernels.ts';
import * as lenet5 from './lenet5.ts';
import * as memory from './memory.ts';
import * as peers from './peers.ts';
import * as resnet from './resnet.ts';
import * as tables from './tables.ts';
import * as target from './target.ts';
import * as tasks from './tasks.ts';

export const SUITES: readonly Suite[] = [
  kernels.suite,
  lenet5.suite,
  memory.suite,
  peers.suite,
  resnet.suite,
  tables.suite,
  tasks.suite,
  target.suite,
];

export const WORKS: Readonly<Record<string, Works>> = {
  kernels: kernels.works,
  lenet5: lenet5.works,
  memory: memory.works,
  peers: peers.works,
  resnet: resnet.works,
  tables: tables.works,
  tasks: tasks.works,
  target: target.works,
};
