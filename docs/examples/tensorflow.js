// flatmin's optimizers beside TensorFlow.js, which computes the gradients:
//   npm install flatmin @tensorflow/tfjs
import * as tf from '@tensorflow/tfjs';
import { lion, shampoo } from 'flatmin';

// Is a point of the square within the circle? 200 points of a grid that is turned a little.
const points = Array.from({ length: 200 }, (_, i) => [Math.cos(i * 2.4), Math.sin(i * 2.4)].map((v) => v * Math.sqrt(i / 100)));
const inputs = tf.tensor2d(points);
const labels = tf.tensor1d(points.map(([x, y]) => Number(Math.hypot(x, y) < 0.8)));

/** Trains a network 2-16-1 with an optimizer that is bound to its parameters; returns the losses. */
function train(optimizerFor, steps) {
  // The parameters are flatmin's to update: arrays with a name and a shape.
  const start = (shape, frequency) => ({
    data: Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => Math.sin(frequency * (i + 1))),
    shape,
  });
  const params = {
    'hidden.weight': start([2, 16], 1.3),
    'hidden.bias': start([16], 0.7),
    'out.weight': start([16, 1], 2.1),
    'out.bias': start([1], 0),
  };
  const optimizer = optimizerFor(params);

  const variables = Object.entries(params).map(([name, { data, shape }]) =>
    tf.variable(tf.tensor(data, shape), true, `${optimizer.optimizer.name}/${name}`),
  );
  const [hiddenWeight, hiddenBias, outWeight, outBias] = variables;
  const loss = () => {
    const hidden = tf.tanh(tf.add(tf.matMul(inputs, hiddenWeight), hiddenBias));
    const logits = tf.reshape(tf.add(tf.matMul(hidden, outWeight), outBias), [-1]);
    // Cross-entropy of the logistic function: softplus(z) − yz.
    return tf.mean(tf.sub(tf.softplus(logits), tf.mul(labels, logits)));
  };

  const losses = [];
  for (let step = 0; step < steps; step++) {
    tf.tidy(() => {
      const { value, grads } = tf.variableGrads(loss, variables);
      losses.push(value.dataSync()[0]);
      const names = Object.keys(params);
      optimizer.step(
        Object.fromEntries(names.map((name, i) => [name, grads[variables[i].name].dataSync()])),
      );
      // The arrays were updated in place; TensorFlow.js takes copies of them.
      names.forEach((name, i) => variables[i].assign(tf.tensor(params[name].data.slice(), params[name].shape)));
    });
  }
  return losses;
}

export const results = {
  lion: train((params) => lion(params, { lr: 0.02 }), 100),
  shampoo: train((params) => shampoo(params, { lr: 0.5 }), 100),
};
for (const [name, losses] of Object.entries(results)) {
  console.log(`${name}: loss ${losses[0].toFixed(3)} → ${losses.at(-1)?.toFixed(3)}`);
}
