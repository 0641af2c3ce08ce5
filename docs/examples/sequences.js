// Sentences from CoNLL columns to a tagger that serves. After a build:
//   node docs/examples/sequences.js data/wnut17/train.conll data/wnut17/dev.conll
//   curl -d 'Ada Lovelace lived in London' localhost:8080
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import {
  adamw,
  entityF1,
  fit,
  loadModel,
  lstmTagger,
  readConll,
  readMetadata,
  tokenCrossEntropy,
  Vocabulary,
} from 'flatmin';

const network = ({ words, tags }, hidden) =>
  lstmTagger({ vocabulary: new Vocabulary(words).size, tags: tags.length, hidden });

/** Rows of one length, −1 past each one's end. */
function padded(rows) {
  const steps = Math.max(...rows.map((row) => row.length));
  const data = new Int32Array(rows.length * steps).fill(-1);
  for (const [i, row] of rows.entries()) data.set(row, i * steps);
  return { data, shape: [steps] };
}

function datasetOf(sentences, vocabulary, tags) {
  const labels = padded(sentences.map((sentence) => sentence.tags.map((tag) => tags.indexOf(tag))));
  return {
    name: 'sentences',
    synthetic: false,
    inputs: padded(sentences.map(({ words }) => words.map((word) => vocabulary.numberOf(word)))),
    labels: labels.data,
    labelShape: labels.shape,
    lengths: [8, 16, 32, 64, 128],
    classes: tags.length,
    count: sentences.length,
  };
}

/** Trains on files of CoNLL columns and saves the tagger, its words and tags with it. */
export async function train(files, { path, epochs = 3, hidden = 128 }) {
  const [train, test] = files.map((file) => readConll(file));
  const vocabulary = Vocabulary.of(train);
  const tags = [
    'O',
    ...new Set(train.flatMap((sentence) => sentence.tags).filter((t) => t !== 'O')),
  ];
  const saved = { words: vocabulary.words, tags, hidden };
  const data = {
    train: datasetOf(train, vocabulary, tags),
    test: datasetOf(test, vocabulary, tags),
  };
  const { model, history } = await fit(network(saved, hidden), data, {
    optimizer: adamw({ lr: 0.002 }),
    loss: tokenCrossEntropy(),
    metrics: [entityF1(tags)],
    batch: 2,
    epochs,
  });
  model.save(path, { metadata: { tagger: JSON.stringify(saved) } });
  return history.at(-1).metrics;
}

/** The saved tagger as a function from lines of words to lists of [word, tag]. */
export function load(path) {
  const saved = JSON.parse(readMetadata(path).tagger);
  const vocabulary = new Vocabulary(saved.words);
  const model = loadModel(network(saved, saved.hidden), path);
  return async (text) => {
    const sentences = text.split('\n').map((line) => line.split(/\s+/).filter(Boolean));
    const { data, shape } = padded(
      sentences.map((words) => words.map((w) => vocabulary.numberOf(w))),
    );
    const outputs = await model.predictAsync({ data, shape: [sentences.length, ...shape] });
    const tagAt = (at) => {
      const logits = outputs.data.subarray(at * saved.tags.length, (at + 1) * saved.tags.length);
      return saved.tags[logits.indexOf(Math.max(...logits))];
    };
    return sentences.map((words, i) => words.map((word, t) => [word, tagAt(i * shape[0] + t)]));
  };
}

/** Answers POST requests with sentences, one a line. */
export const serve = (answer, port) =>
  createServer(async (request, response) => {
    try {
      const parts = [];
      for await (const part of request) parts.push(part);
      const answers = await answer(Buffer.concat(parts).toString());
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answers));
    } catch (error) {
      response.writeHead(400).end(error.message);
    }
  }).listen(port);

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = 'tagger.safetensors';
  const { accuracy, f1 } = await train(process.argv.slice(2, 4), { path });
  console.log(`accuracy ${accuracy.toFixed(4)}, F1 ${f1.toFixed(4)}, saved as ${path}`);
  serve(load(path), 8080).once('listening', () => console.log('http://localhost:8080'));
}
