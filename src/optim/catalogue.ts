/**
 * Every method, a line each: what is exported, what the command line and tasks can run (each method's `variants`), what the
 * table of docs/optimizers.md lists.
 */
export * from './adadelta.ts';
export * from './adagrad.ts';
export * from './adam.ts';
export * from './adamw.ts';
export * from './clip.ts';
export * from './enim.ts';
export * from './groups.ts';
export * from './kfac.ts';
export * from './lion.ts';
export * from './lion-k.ts';
export * from './muon.ts';
export * from './muon-with-adamw.ts';
export * from './norm-descent.ts';
export * from './rmsprop.ts';
export * from './sam.ts';
export * from './sgd.ts';
export * from './shampoo.ts';
export * from './soap.ts';
