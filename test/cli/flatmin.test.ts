import { type ChildProcess, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CATALOGUE } from '../../src/data/catalogue.ts';
import { idx } from '../data/idx-bytes.ts';
import { CompiledCommand, type Outcome } from './command.ts';
import { writeMnist } from './mnist-files.ts';

let command: CompiledCommand;
beforeAll(() => {
  command = new CompiledCommand();
});
afterAll(() => rmSync(command.folder, { recursive: true }));

const flatmin = (...args: string[]) => command.run(args);
const tiny = ['--examples', '100', '--test-examples', '50', '--device', 'js'];
const train = (...args: string[]) => flatmin('train', 'digits', ...tiny, ...args);
const inFolder = (name: string) => join(command.folder, name);
const linesOf = (path: string) =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

/** A method's row of the table: accuracy, two losses, seconds, and a target that was not reached. */
const row = (method: string) =>
  new RegExp(`^${method} +0\\.\\d{4} +\\d\\.\\d{4} +\\d\\.\\d{4} +\\d+\\.\\d +– +–$`, 'm');

describe('flatmin train', () => {
  it('compares the five on synthetic digits and says that they are', {
    timeout: 60_000,
  }, async () => {
    const { code, stdout, stderr } = await train('--optimizer', 'all', '--epochs', '1');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^digits: LeNet-5 on synthetic digits \(100 \+ 50 examples\), 1 epoch on js\n/,
    );
    for (const method of ['sgd', 'sam', 'lion', 'kfac', 'shampoo']) {
      expect(stdout).toMatch(row(method));
    }
    expect(stderr).toMatch(/^flatmin: no data folder, using synthetic data; help: /);
    expect(stderr).toContain('  sam      lr 0.03    weight decay 0       rho 0.1\n');
    expect(stderr).toMatch(/^shampoo {2}epoch 1\/1 {2}loss \d/m);
    expect(stdout.split('\n').every((line) => line.length <= 100)).toBe(true);
  });

  it('keeps runs that report compares, in a page and pictures', { timeout: 120_000 }, async () => {
    const runs = inFolder('compared');
    await train('--optimizer', 'sgd,lion', '--epochs', '2', '--out', runs);
    const out = inFolder('its report');
    const { code, stdout, stderr } = await flatmin('report', runs, '--out', out);
    expect(stderr).toBe('28 pictures beside it, in plots\n');
    expect(code).toBe(0);
    expect(stdout).toBe(`${join(out, 'report.html')}\n`);
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain(
      `flatmin report ${runs} --out &#39;${out}&#39;`,
    );
    expect(readdirSync(join(out, 'tables'))).toHaveLength(9);
    expect(readdirSync(join(out, 'tables'))).toContain('every-run.csv');
  });

  it('prints one object a line with --json, the same as in --out', async () => {
    const out = inFolder('json');
    const { code, stdout } = await train('--epochs', '1', '--json', '--out', out);
    expect(code).toBe(0);
    expect(stdout).toBe(readFileSync(join(out, 'metrics.jsonl'), 'utf8'));
    const events = linesOf(join(out, 'metrics.jsonl'));
    expect(events.map(({ event }) => event)).toEqual(['start', 'epoch', 'result']);
    expect(events.every(({ synthetic }) => synthetic)).toBe(true);
    expect(existsSync(join(out, 'model.safetensors'))).toBe(true);

    const again = await train('--epochs', '1', '--out', out);
    expect(again).toMatchObject({ code: 1, stdout: '' });
    expect(again.stderr).toContain(`${out} already holds a run`);
    const resumed = await train('--epochs', '1', '--out', out, '--resume', '--json');
    expect(resumed).toMatchObject({ code: 0, stdout });
  });

  it('trains on MNIST where a folder is named or found', async () => {
    writeMnist(inFolderMade('named'), { train: 30, test: 10 });
    const small = ['train', 'digits', '--device', 'js', '--epochs', '1'];
    const named = await flatmin(...small, '--data', inFolder('named'));
    expect(named.stdout).toContain('LeNet-5 on mnist (30 + 10 examples)');
    writeMnist(inFolderMade('data/mnist'), { train: 20, test: 10 });
    const found = await flatmin(...small, '--json');
    rmSync(inFolder('data'), { recursive: true });
    expect(JSON.parse(found.stdout.split('\n')[0])).toMatchObject({
      event: 'start',
      data: 'mnist',
      synthetic: false,
      examples: 20,
    });
  });
});

describe('other tasks', () => {
  it('are trained on generated data, beside the answer that needs no network', async () => {
    const out = inFolder('titanic');
    const common = ['--synthetic', '--epochs', '2', '--width', '8', '--device', 'js'];
    const { code, stdout, stderr } = await flatmin('train', 'titanic', ...common, '--out', out);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^titanic: MLP on synthetic titanic \(571 \+ 143 examples\), 2 epochs on js\n/,
    );
    expect(stdout).toMatch(/^always [01] +0\.\d{4} +–/m);
    expect(stderr).toContain('  width 8, batch 32, 2 epochs');
    const [start] = linesOf(join(out, 'metrics.jsonl'));
    expect(start).toMatchObject({
      width: 8,
      baseline: { metrics: { accuracy: expect.any(Number) } },
    });

    const rows = join(command.folder, 'rows.csv');
    writeFileSync(
      rows,
      'Pclass,Sex,Age,SibSp,Parch,Fare,Embarked\n3,male,22,1,0,7.25,S\n1,female,,1,0,,C\n',
    );
    const told = await flatmin('predict', out, rows, '--device', 'js');
    expect(told).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^([01]\t0\.\d{4}\n){2}$/),
    });
    const json = await flatmin(
      'predict',
      join(out, 'model.safetensors'),
      rows,
      '--json',
      '--device',
      'js',
    );
    const answers = json.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(answers.map(({ event, row, answer }) => [event, row, answer])).toEqual(
      told.stdout
        .trimEnd()
        .split('\n')
        .map((line, i) => ['prediction', i + 1, line[0]]),
    );
    const none = await flatmin('predict', out, join(command.folder, 'nothing.csv'));
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('Cannot read ') });
  });

  it('tell the F1 of entities, and are validated on data of their own', async () => {
    const args = ['--synthetic', '--examples', '40', '--test-examples', '20', '--epochs', '1'];
    const { stdout } = await flatmin('train', 'entities', ...args, '--width', '4', '--validation');
    expect(stdout).toMatch(/^ +held out +held out +held out +train /m);
    expect(stdout).toMatch(/^method +accuracy +f1 +loss/m);
    expect(stdout).toMatch(/^always O +0\.\d{4} +0\.0000 +–/m);
  });

  it('of text write at the end, and go on from a prompt', async () => {
    const out = inFolder('text');
    const args = ['--synthetic', '--examples', '24', '--test-examples', '12', '--epochs', '1'];
    const common = ['--width', '8', '--device', 'js'];
    const { code, stdout } = await flatmin('train', 'text', ...args, ...common, '--out', out);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^method +accuracy +perplexity +loss/m);
    expect(stdout).toMatch(/^always " " +0\.\d{4} +\d+\.\d{4} +–/m);
    const [, sample] = stdout.split('\nlion writes:\n');
    expect(linesOf(join(out, 'metrics.jsonl')).at(-1)).toMatchObject({
      event: 'result',
      sample: sample.slice(0, -1),
    });

    const prompt = join(command.folder, 'prompt.txt');
    writeFileSync(prompt, 'then we saw ');
    const predict = (...more: string[]) =>
      flatmin('predict', out, prompt, '--device', 'js', '--tokens', '20', ...more);
    const [one, again, other] = [await predict(), await predict(), await predict('--seed', '1')];
    expect([...one.stdout]).toHaveLength('then we saw '.length + 20 + 1);
    expect(one.stdout).toMatch(/^then we saw /);
    expect(again.stdout).toBe(one.stdout);
    expect(other.stdout).not.toBe(one.stdout);
    const greedy = await predict('--temperature', '0', '--json');
    const single = await predict('--top-k', '1', '--json');
    expect(JSON.parse(greedy.stdout)).toMatchObject({ event: 'prediction', file: prompt });
    expect(single.stdout).toBe(greedy.stdout);
    writeFileSync(prompt, '');
    expect(await predict()).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('holds no text to go on from'),
    });
    const titanic = await flatmin('predict', inFolder('titanic'), prompt, '--top-k', '2');
    expect(titanic.stderr).toContain('--top-k is for text, and the model is of titanic');
  });

  it('have the options that they have', async () => {
    const { code, stderr } = await train('--width', '8');
    expect(code).toBe(2);
    expect(stderr).toContain('--width is not for digits, whose LeNet-5 has one size');
    const augmented = await train('--augment');
    expect(augmented.code).toBe(2);
    expect(augmented.stderr).toContain('--augment is not for digits, which has no augmentation');
  });
});

const inFolderMade = (name: string) => {
  mkdirSync(inFolder(name), { recursive: true });
  return inFolder(name);
};

describe('an interrupted run', () => {
  const interrupted = (...args: string[]) =>
    command.run(['train', 'digits', ...tiny, ...args], { signal: 'SIGINT', at: / 1\/\d+ / });

  it('keeps its metrics and a checkpoint, and is resumed', async () => {
    const out = inFolder('interrupted run');
    const args = ['--epochs', '4', '--seed', '3', '--batch', '20'];
    const stopped = await interrupted(...args, '--out', out);
    expect(stopped).toMatchObject({ code: 130, stdout: '' });
    expect(stopped.stderr).toContain(`--batch 20 --out '${out}' --resume\n`);
    expect(stopped.stderr).toMatch(/^flatmin: Training was stopped in epoch 2 /m);
    expect(linesOf(join(out, 'metrics.jsonl')).map(({ event }) => event)).toEqual([
      'start',
      'epoch',
    ]);
    expect(existsSync(join(out, 'checkpoint.safetensors'))).toBe(true);

    expect((await train(...args, '--out', out, '--resume')).code).toBe(0);
    expect((await train(...args, '--out', inFolder('whole'))).code).toBe(0);
    const epochs = (folder: string) =>
      linesOf(join(folder, 'metrics.jsonl')).map(({ event, epoch, trainLoss }) => ({
        event,
        epoch,
        trainLoss,
      }));
    expect(epochs(out)).toEqual(epochs(inFolder('whole')));
    const model = (folder: string) => readFileSync(join(folder, 'model.safetensors'));
    expect(model(out)).toEqual(model(inFolder('whole')));
  });

  it('of all methods goes on with the one it was at', { timeout: 60_000 }, async () => {
    const out = inFolder('all');
    const args = ['train', 'digits', ...tiny, '--optimizer', 'all', '--epochs', '1', '--out', out];
    const stopped = await command.run(args, { signal: 'SIGTERM', at: /^sam .* 1\/1/m });
    expect(stopped.code).toBe(143);
    expect(existsSync(join(out, 'lion', 'checkpoint.safetensors'))).toBe(true);
    const { code, stdout, stderr } = await flatmin(...args, '--resume');
    expect(code).toBe(0);
    expect(stderr).not.toMatch(/^(sgd|sam) .* 1\/1/m);
    expect(stdout).toMatch(/^sgd .*\n^sam .*\n^lion .*\n^kfac .*\n^shampoo /m);
  });

  it('by a terminal that hung up has its checkpoint too', async () => {
    const out = inFolder('hung up');
    const args = ['train', 'digits', ...tiny, '--epochs', '50', '--out', out];
    const stopped = await command.run(args, { signal: 'SIGHUP', at: / 1\/50 / });
    expect(stopped).toMatchObject({ code: 129, signal: null });
    expect(existsSync(join(out, 'checkpoint.safetensors'))).toBe(true);
    expect(readdirSync(out)).not.toContain('run.lock');
  });

  it('keeps others out of its folder until it is over, or dead', async () => {
    const out = inFolder('locked');
    const args = ['--epochs', '50', '--optimizer', 'sgd,lion', '--out', out];
    let [pid, second]: [number | undefined, Promise<Outcome> | undefined] = [undefined, undefined];
    const said = (stderr: string, child: ChildProcess) => {
      if (second !== undefined || !/ 1\/50 /.test(stderr)) return;
      pid = child.pid;
      second = train(...args, '--resume').finally(() => child.kill('SIGKILL'));
    };
    const first = await command.start(['train', 'digits', ...tiny, ...args], said);
    expect(first.signal).toBe('SIGKILL');
    const { code, stdout, stderr } = (await second) as unknown as Outcome;
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(`flatmin: process ${pid} is at work in this folder (${out}`);

    const over = await train('--epochs', '1', '--optimizer', 'lion', '--out', join(out, 'lion'));
    expect(over.code).toBe(0);
    expect(readdirSync(join(out, 'lion'))).not.toContain('run.lock');
  });

  it('without --out says that nothing was kept', async () => {
    const { code, stderr } = await interrupted('--epochs', '50');
    expect(code).toBe(130);
    expect(stderr).toContain('help: nothing was kept, as no --out was given\n');
  });

  it('ends at once at a second signal', async () => {
    const waits = `
      import { interruptible } from './dist/cli/interrupt.js';
      await interruptible(async (signal) => {
        console.error('ready');
        signal.addEventListener('abort', () => console.error('stopping'));
        await new Promise((resolve) => setTimeout(resolve, 60_000));
      });`;
    let sent = 0;
    const { code, signal } = await command.script(waits, (stderr, child) => {
      if (stderr.split('\n').length - 1 <= sent) return;
      sent += 1;
      child.kill('SIGINT');
    });
    expect({ code, signal, sent }).toEqual({ code: null, signal: 'SIGINT', sent: 2 });
  });
});

describe('wrong usage', () => {
  const cases: [string, string][] = [
    ['train digit', "'digit' is invalid for argument 'task'. Did you mean digits?"],
    ['train digits --optimizer sgd,shampo', 'Did you mean shampoo? Expected one of: all, sgd, sam'],
    ['train digits --optimizer shampo', 'Did you mean shampoo? Expected one of: all, sgd, sam'],
    ['train digits --lr -1', "'--lr <x>' argument '-1' is invalid. Expected a finite number"],
    ['train digits --weight-decay NaN', 'Expected a finite number of at least 0.'],
    ['train digits --rho Infinity --optimizer sam', 'Expected a finite number of at least 0.'],
    ['train digits --epochs 0', 'Expected a whole number of at least 1.'],
    ['train digits --batch 2.5', 'Expected a whole number of at least 1.'],
    ['train digits --device gpu', 'Expected one of: auto, js, cpu, cuda.'],
    ['train digits --optimizer all --lr 0.1', '--lr belongs to one method'],
    ['train digits --resume', "option '--resume' needs the folder of the run"],
    [
      'train digits --synthetic --data .',
      "option '--synthetic' cannot be used with option '--data",
    ],
    ['train digits --examples 5 --optimzer sgd', "unknown option '--optimzer'"],
    ['trian digits', "unknown command 'trian'"],
    ['train', "missing required argument 'task'"],
    ['data fetch mnits', 'Did you mean mnist? Expected one of: mnist, cifar10,'],
    ['', 'Usage: flatmin'],
  ];
  it.each(cases)('flatmin %s', async (line, message) => {
    const outcome = await flatmin(...line.split(' ').filter((word) => word !== ''));
    expect(outcome).toMatchObject({ code: 2, stdout: '' });
    expect(outcome.stderr).toContain(message);
  });
});

describe('bad data and bad folders', () => {
  const onData = async (name: string): Promise<Outcome> =>
    flatmin('train', 'digits', '--device', 'js', '--epochs', '1', '--data', inFolder(name));

  it.each([
    [
      'truncated',
      (dir: string) => truncateSync(join(dir, 'train-images-idx3-ubyte'), 5000),
      /is damaged: expected 23536 bytes .* got 5000 \(truncated\)/,
    ],
    [
      'not-idx',
      (dir: string) => writeFileSync(join(dir, 't10k-images-idx3-ubyte'), 'GIF89a..'),
      /is not an IDX file/,
    ],
    [
      'label',
      (dir: string) =>
        writeFileSync(join(dir, 't10k-labels-idx1-ubyte'), idx(8, [10], Buffer.alloc(10, 11))),
      /expected labels of 0 … 9, got 11/,
    ],
    [
      'uneven',
      (dir: string) =>
        writeFileSync(join(dir, 't10k-labels-idx1-ubyte'), idx(8, [9], Buffer.alloc(9))),
      /expected 10 labels, one for each image/,
    ],
    [
      'narrow',
      (dir: string) =>
        writeFileSync(
          join(dir, 't10k-images-idx3-ubyte'),
          idx(8, [10, 28, 27], Buffer.alloc(7560)),
        ),
      /expected images of 28 × 28, got 28 × 27/,
    ],
    [
      'lacking',
      (dir: string) => rmSync(join(dir, 't10k-labels-idx1-ubyte')),
      /a file is missing in the data folder/,
    ],
  ])('%s', async (name, spoil, message) => {
    writeMnist(inFolderMade(name), { train: 30, test: 10 });
    spoil(inFolder(name));
    const { code, stdout, stderr } = await onData(name);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  it('a missing folder', async () => {
    const { code, stderr } = await onData('nowhere');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^flatmin: mnist: the data folder .*nowhere does not exist; .* help: /);
  });

  it('an unwritable --out', async () => {
    writeFileSync(inFolder('file'), '');
    const { code, stdout, stderr } = await train('--out', join(inFolder('file'), 'run'));
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^flatmin: Cannot write .*ENOTDIR/m);
  });

  it('an --out where the kernel makes no folders', async ({ skip }) => {
    if (!existsSync('/proc/self')) skip('there is no /proc');
    const { code, stdout, stderr } = await train('--out', '/proc/flatmin/run');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^flatmin: Cannot write .*ENOENT/m);
  });

  it('a full disk', async ({ skip }) => {
    const disk = inFolderMade('disk');
    const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
    if (mount.status !== 0) skip('a small disk can only be mounted by root');
    try {
      const out = join(disk, 'run');
      const { code, stdout, stderr } = await train('--epochs', '2', '--out', out);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(/^flatmin: Cannot write .*checkpoint\.safetensors: ENOSPC/m);
      expect(linesOf(join(out, 'metrics.jsonl')).map(({ event }) => event)).toEqual(['start']);
      expect(readdirSync(out)).toEqual(['metrics.jsonl']);
    } finally {
      spawnSync('umount', [disk]);
    }
  });

  it('a learning rate that blows up', async () => {
    const { code, stderr } = await train('--optimizer', 'sgd', '--lr', '1e30', '--epochs', '2');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^sgd: The gradient of ".*" is not finite at step 2/m);
  });
});

describe('flatmin data', () => {
  it('lists what there is to fetch', async () => {
    const { code, stdout } = await flatmin('data', 'list', '--json');
    expect(code).toBe(0);
    const sets = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(sets.map(({ event, name }) => [event, name])).toEqual(
      CATALOGUE.map(({ name }) => ['dataset', name]),
    );
    expect(sets[1].downloadBytes).toBe(170_052_171);
  });

  it('checks a folder against the checksums', async () => {
    const dir = inFolderMade('checked');
    writeMnist(dir, { train: 3, test: 2 });
    rmSync(join(dir, 'train-labels-idx1-ubyte'));
    const { code, stdout } = await flatmin('data', 'check', 'mnist', '--data', dir);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^damaged {2}.*train-images-idx3-ubyte: it holds \d+ bytes, expected/m);
    expect(stdout).toMatch(/^missing {2}train-labels-idx1-ubyte\.gz$/m);
  });
});
