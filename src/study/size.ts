/** `quick` ends within a minute or two; `full` is the size in which claims are judged. */
export type Size = 'quick' | 'full';
