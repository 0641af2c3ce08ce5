// Images from CIFAR-10's files to a classifier that serves. After a build:
//   npx flatmin data fetch cifar10 --data data && node docs/examples/images.js data
//   tail -c 3072 data/cifar10/test_batch.bin | curl --data-binary @- localhost:8080
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { CIFAR10_CLASSES, fit, loadCifar10, loadModel, readMetadata, resnet18, sgd } from 'flatmin';

/** Trains on images and saves the network; that its inputs are bytes, and how they are standardised, is in the file. */
export async function train(data, { path, classes, width = 16, epochs = 5, batch = 100 }) {
  const { model, history } = await fit(resnet18({ width, classes: classes.length }), data, {
    optimizer: sgd({ lr: 0.05, momentum: 0.9, nesterov: true, weightDecay: 5e-4 }),
    batch,
    epochs,
  });
  model.save(path, { metadata: { network: JSON.stringify({ width, classes }) } });
  return history.at(-1).testAccuracy;
}

/** The saved network as a function from bytes, 3072 an image in planes of red, green and blue, to the classes. */
export function load(path) {
  const { width, classes } = JSON.parse(readMetadata(path).network);
  const model = loadModel(resnet18({ width, classes: classes.length }), path);
  return async (bytes) => {
    const { data, shape } = await model.predictAsync(new Uint8Array(bytes));
    return Array.from({ length: shape[0] }, (_, i) => {
      const logits = data.subarray(i * classes.length, (i + 1) * classes.length);
      return classes[logits.indexOf(Math.max(...logits))];
    });
  };
}

/** Answers POST requests with the bytes of images. */
export const serve = (answer, port) =>
  createServer(async (request, response) => {
    try {
      const parts = [];
      for await (const part of request) parts.push(part);
      const answers = await answer(Buffer.concat(parts));
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answers));
    } catch (error) {
      response.writeHead(400).end(error.message);
    }
  }).listen(port);

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [dir] = process.argv.slice(2);
  const path = 'images.safetensors';
  const data = { train: loadCifar10(dir, 'train'), test: loadCifar10(dir, 'test') };
  const accuracy = await train(data, { path, classes: CIFAR10_CLASSES });
  console.log(`test accuracy ${accuracy.toFixed(4)}, saved as ${path}`);
  serve(load(path), 8080).once('listening', () => console.log('http://localhost:8080'));
}
