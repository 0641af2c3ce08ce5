// A table from raw rows to a model that serves. After a build:
//   node docs/examples/tables.js passengers.csv Survived PassengerId,Name,Ticket,Cabin
//   curl -d '[{"Sex":"male","Age":"22","Pclass":"3","SibSp":"1","Parch":"0","Fare":"7.25","Embarked":"S"}]' localhost:8080
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import {
  adamw,
  fit,
  loadModel,
  mlp,
  readCsv,
  readMetadata,
  splitRows,
  TableTransform,
} from 'flatmin';

const network = (transform) => mlp({ hidden: 64, out: transform.classes.length, dropout: 0.2 });

/** Trains on the rows of a CSV file and saves the model, the transform of raw rows with it. */
export async function train(csv, target, { path, drop = [], epochs = 30 }) {
  const table = readCsv(csv);
  const rows = splitRows(table.rows.length, { seed: 0, test: 0.2 });
  const transform = TableTransform.fit(table, rows.train, { target, drop });
  const data = {
    train: transform.dataset(table, rows.train),
    test: transform.dataset(table, rows.test),
  };
  const { model, history } = await fit(network(transform), data, {
    optimizer: adamw({ lr: 0.001 }),
    epochs,
  });
  model.save(path, { metadata: { transform: JSON.stringify(transform) } });
  return history.at(-1).testAccuracy;
}

/** The saved model as a function from raw rows, objects of texts by column, to the classes' probabilities. */
export function load(path) {
  const transform = new TableTransform(JSON.parse(readMetadata(path).transform));
  const model = loadModel(network(transform), path);
  return async (objects) => {
    const { columns, classes } = transform;
    const rows = objects.map((row) => columns.map((name) => row[name] ?? null));
    const inputs = transform.inputs({ source: 'rows', columns, rows, lines: [...rows.keys()] });
    const { data } = await model.predictAsync(inputs);
    return rows.map((_, i) => {
      const logits = [...data.subarray(i * classes.length, (i + 1) * classes.length)];
      const sum = logits.reduce((total, x) => total + Math.exp(x), 0);
      return Object.fromEntries(classes.map((name, c) => [name, Math.exp(logits[c]) / sum]));
    });
  };
}

/** Answers POST requests with a JSON list of rows. */
export const serve = (answer, port) =>
  createServer(async (request, response) => {
    try {
      const parts = [];
      for await (const part of request) parts.push(part);
      const answers = await answer(JSON.parse(Buffer.concat(parts).toString()));
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answers));
    } catch (error) {
      response.writeHead(400).end(error.message);
    }
  }).listen(port);

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [csv, target, drop = ''] = process.argv.slice(2);
  const path = 'table.safetensors';
  const accuracy = await train(csv, target, { path, drop: drop.split(',').filter(Boolean) });
  console.log(`test accuracy ${accuracy.toFixed(4)}, saved as ${path}`);
  serve(load(path), 8080).once('listening', () => console.log('http://localhost:8080'));
}
