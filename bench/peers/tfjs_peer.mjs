// One piece of work in TensorFlow.js on its CPU backend, as flatmin does it; prints {"seconds": s} of one repetition.
// tfjs_peer.mjs WORK [JSON]
import { performance } from 'node:perf_hooks';
import * as tf from '@tensorflow/tfjs';

/** A step takes seconds, so few are timed. */
const STEPS = 3;

/** The median time of a step, the first left out. */
function timed(step) {
  step();
  const times = Array.from({ length: STEPS }, () => {
    const started = performance.now();
    step();
    return (performance.now() - started) / 1000;
  });
  return times.sort((a, b) => a - b)[STEPS >> 1];
}

const noise = (...shape) => tf.randomUniform(shape, -1, 1);

/** A step of LeNet-5 by SGD, images and kernels in TensorFlow.js's order: rows, columns, channels. */
function lenet5(batch) {
  const images = noise(batch, 32, 32, 1);
  const labels = tf.oneHot(tf.randomUniform([batch], 0, 10, 'int32'), 10);
  const layers = [
    { weight: [5, 5, 1, 6], pools: true },
    { weight: [5, 5, 6, 16], pools: true },
    { weight: [5, 5, 16, 120] },
    { weight: [120, 84] },
    { weight: [84, 10] },
  ].map(({ weight, pools }) => ({
    weight: tf.variable(
      noise(...weight).div(Math.sqrt(weight.slice(0, -1).reduce((a, b) => a * b))),
    ),
    bias: tf.variable(tf.zeros(weight.slice(-1))),
    pools,
  }));
  const logits = () =>
    layers.reduce((x, { weight, bias, pools }, i) => {
      const isConvolution = weight.rank === 4;
      const rows = isConvolution ? x : x.reshape([batch, -1]);
      const sum = (isConvolution ? tf.conv2d(rows, weight, 1, 'valid') : rows.matMul(weight)).add(
        bias,
      );
      if (i === layers.length - 1) return sum;
      return pools ? tf.maxPool(sum.relu(), 2, 2, 'valid') : sum.relu();
    }, images);
  const optimizer = tf.train.sgd(0.01);
  return timed(() => {
    const loss = optimizer.minimize(() => tf.losses.softmaxCrossEntropy(labels, logits()), true);
    loss.dataSync();
    loss.dispose();
  });
}

const WORKS = { lenet5 };

const [work, argumentList = '[]'] = process.argv.slice(2);
await tf.setBackend('cpu');
console.log(JSON.stringify({ seconds: WORKS[work](...JSON.parse(argumentList)) }));
