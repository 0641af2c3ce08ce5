import { digits } from './digits.ts';
import type { Task } from './task.ts';

export const TASKS: readonly Task[] = [digits];
