import { trainStep } from '#flatmin/doors/train-step';
import { tokenCrossEntropy } from '#flatmin/nn/cross-entropy';
import { gpt } from '#flatmin/nn/gpt';
import { adamw } from '#flatmin/optim/adamw';
import { spread } from './runner.ts';
import type { Sample, Target } from './suite.ts';

const VOCABULARY = 50_257;
const STEPS = 5;

/** AdamW's step of the GPT-2 of 124 M parameters on rows of so many tokens, and what it takes until it could begin. */
export function gpt2Step(target: Target, batch: number, tokens: number): Sample {
  const begun = performance.now();
  const step = trainStep(gpt(), {
    input: [tokens],
    inputType: 'i32',
    batch,
    optimizer: adamw({ lr: 1e-4 }),
    loss: tokenCrossEntropy(),
    ...target,
  });
  const ready = (performance.now() - begun) / 1000;
  const drawn = Int32Array.from({ length: batch * tokens }, (_, i) => (i * 7919) % VOCABULARY);
  const timed = (): number => {
    const started = performance.now();
    step(drawn, drawn);
    return (performance.now() - started) / 1000;
  };
  timed();
  return {
    seconds: spread(Array.from({ length: STEPS }, timed)).median,
    measured: `until its first step ${ready.toFixed(2)} s`,
  };
}
