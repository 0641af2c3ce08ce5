export * from './activations.ts';
export * from './conv2d.ts';
export * from './linear.ts';
export * from './norm.ts';
export * from './pool.ts';
export * from './random.ts';
export * from './recurrent.ts';
export * from './residual.ts';
