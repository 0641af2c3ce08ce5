import { digits } from './digits.ts';
import { mushroom, spambase, titanic } from './tables.ts';
import type { Task } from './task.ts';

export const TASKS: readonly Task[] = [digits, titanic, spambase, mushroom];
