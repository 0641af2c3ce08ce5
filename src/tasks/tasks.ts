import { digits } from './digits.ts';
import { entities } from './entities.ts';
import { images } from './images.ts';
import { mushroom, spambase, titanic } from './tables.ts';
import type { Task } from './task.ts';
import { text } from './text.ts';

export const TASKS: readonly Task[] = [digits, images, entities, text, titanic, spambase, mushroom];
