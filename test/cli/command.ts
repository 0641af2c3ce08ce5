import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Outcome {
  readonly code: number | null;
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
    const args = ['-p', join(root, 'tsconfig.build.json'), '--outDir', join(this.folder, 'dist')];
    const { status, stdout } = spawnSync(process.execPath, [tsc, ...args], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`tsc failed:\n${stdout}`);
  }

  /** Runs to the end; `whenSaid` sees all of stderr each time there is more. */
  async run(
    args: readonly string[],
    whenSaid?: (stderr: string, child: ChildProcess) => void,
  ): Promise<Outcome> {
    const { FLATMIN_DATA: _, ...env } = process.env;
    const child = spawn(process.execPath, [join(this.folder, 'dist/cli/main.js'), ...args], {
      cwd: this.folder,
      env,
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (text) => {
      stdout += text;
    });
    child.stderr.on('data', (text) => {
      stderr += text;
      whenSaid?.(stderr, child);
    });
    const [code] = await once(child, 'close');
    return { code, stdout, stderr };
  }
}
