import {
  type ChildProcess,
  type ChildProcessWithoutNullStreams,
  spawn,
  spawnSync,
} from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line compiled into a folder of its own, so that no dist in use is touched. */
export class CompiledCommand {
  readonly folder = mkdtempSync(join(tmpdir(), 'flatmin-cli-'));

  constructor() {
    for (const name of ['scripts', 'node_modules']) {
      symlinkSync(join(root, name), join(this.folder, name));
    }
    copyFileSync(join(root, 'package.json'), join(this.folder, 'package.json'));
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const args = ['-p', join(root, 'tsconfig.build.json'), '--noCheck'];
    const output = ['--outDir', join(this.folder, 'dist')];
    const { status, stdout } = spawnSync(process.execPath, [tsc, ...args, ...output], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`tsc failed:\n${stdout}`);
    for (const made of ['vendor', 'report/page']) {
      symlinkSync(join(root, 'dist', made), join(this.folder, 'dist', made));
    }
  }

  /** Runs to the end; sends `signal` as soon as stderr matches `at`. */
  run(args: readonly string[], stop?: { signal: NodeJS.Signals; at: RegExp }): Promise<Outcome> {
    let stopped = false;
    return this.start(args, (stderr, child) => {
      if (stop === undefined || stopped || !stop.at.test(stderr)) return;
      stopped = child.kill(stop.signal);
    });
  }

  /** The same, watched. */
  start(
    args: readonly string[],
    onSaid: (stderr: string, child: ChildProcess) => void,
  ): Promise<Outcome> {
    const { FLATMIN_DATA: _, ...env } = process.env;
    const main = join(this.folder, 'dist/cli/main.js');
    const child = spawn(process.execPath, [main, ...args], { cwd: this.folder, env });
    return outcomeOf(child, (stderr) => onSaid(stderr, child));
  }

  /** Runs a script that imports modules of the command from `./dist`. */
  script(code: string, onSaid: (stderr: string, child: ChildProcess) => void): Promise<Outcome> {
    const file = join(this.folder, 'script.mjs');
    writeFileSync(file, code);
    const child = spawn(process.execPath, [file], { cwd: this.folder });
    return outcomeOf(child, (stderr) => onSaid(stderr, child));
  }
}

/** `onSaid` gets all of stderr each time there is more. */
async function outcomeOf(
  child: ChildProcessWithoutNullStreams,
  onSaid: (stderr: string) => void,
): Promise<Outcome> {
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
    onSaid(stderr);
  });
  const [code, signal] = await once(child, 'close');
  return { code, signal, stdout, stderr };
}
