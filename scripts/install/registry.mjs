// A registry of one's own on the loopback: Verdaccio, which passes on what it does not have from the registry of npm's settings.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { node, tool } from './routes.mjs';

export const VERDACCIO = 'verdaccio@6.10.4';

/** Its address, `publish(folder)` and `stop()`; everything it keeps is in `folder`. */
export async function startRegistry(folder) {
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const config = join(folder, 'config.yaml');
  writeFileSync(config, settings(join(folder, 'storage')));
  const program = tool(VERDACCIO, 'bin/verdaccio');
  const child = spawn(node('24'), [program, '--config', config, '--listen', `127.0.0.1:${port}`], {
    stdio: 'ignore',
  });
  await answering(url);
  // Whoever publishes must be someone, and anyone may.
  const npmrc = join(folder, 'npmrc');
  writeFileSync(npmrc, `registry=${url}\n//127.0.0.1:${port}/:_authToken=anyone\n`);
  return {
    url,
    publish(packed) {
      const args = ['publish', '--userconfig', npmrc, '--registry', url, '--tag', 'latest'];
      const { status, stderr } = spawnSync('npm', args, { cwd: packed, encoding: 'utf8' });
      if (status !== 0) throw new Error(`cannot publish ${packed}:\n${stderr}`);
    },
    stop: () => child.kill(),
  };
}

function settings(storage) {
  const { stdout } = spawnSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' });
  return `
storage: ${JSON.stringify(storage)}
uplinks: { npm: { url: ${JSON.stringify(stdout.trim())}, maxage: 60m } }
packages:
  'flatmin': { access: $all, publish: $all }
  '@flatmin/*': { access: $all, publish: $all }
  '**': { access: $all, proxy: npm }
max_body_size: 200mb
log: { type: stdout, level: error }
`;
}

function freePort() {
  const server = createServer();
  return new Promise((done) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

async function answering(url) {
  for (let tries = 0; tries < 100; tries++) {
    const { ok } = await fetch(`${url}-/ping`).catch(() => ({ ok: false }));
    if (ok) return;
    await sleep(300);
  }
  throw new Error('the registry does not answer');
}
