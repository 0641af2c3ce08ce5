import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { createTar } from 'nanotar';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CATALOGUE, type CatalogueEntry, catalogueEntry } from '../../src/data/catalogue.ts';
import { checkDataset } from '../../src/data/check.ts';
import { type FetchOptions, fetchDataset } from '../../src/data/fetch.ts';
import { FlatminError } from '../../src/errors.ts';

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

// Content that hardly compresses, so that the download is long enough to be cut.
const content = Buffer.from(
  Array.from({ length: 300_000 }, (_, i) => (i * i * 31 + (i >> 3)) % 251),
);
const packed = gzipSync(Buffer.concat([content.subarray(0, 150_000), content.subarray(150_000)]));
const half = packed.length >> 1;

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const whole: Answer = (_, response) => response.writeHead(200).end(packed);
const status =
  (code: number): Answer =>
  (_, response) =>
    response.writeHead(code).end('no');
const ranged: Answer = (request, response) => {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (from >= packed.length) return response.writeHead(416).end();
  return response
    .writeHead(from ? 206 : 200, {
      'content-length': packed.length - from,
      ...(from && { 'content-range': `bytes ${from}-${packed.length - 1}/${packed.length}` }),
    })
    .end(packed.subarray(from));
};
/** Sends half of the file, waits until it is on disk, then breaks the connection. */
const cut: Answer = (_, response) => {
  response.writeHead(200, { 'content-length': packed.length });
  response.write(packed.subarray(0, half));
  const poll = setInterval(() => {
    if (!existsSync(part()) || statSync(part()).size < half) return;
    clearInterval(poll);
    response.destroy();
  }, 2);
};
/** Sends half of the file, then nothing. */
const stalling: Answer = (_, response) => {
  response.writeHead(200, { 'content-length': packed.length });
  response.write(packed.subarray(0, half));
};
/** Sends bytes until the other side hangs up. */
const endless: Answer = (_, response) => {
  const send = () => {
    if (!response.destroyed) response.write(Buffer.alloc(65_536, 1), () => setImmediate(send));
  };
  response.writeHead(200);
  send();
};
/** Sends the file in 12 pieces, one every 100 ms. */
const slow: Answer = (_, response) => {
  const step = Math.ceil(packed.length / 12);
  let sent = 0;
  const timer = setInterval(() => {
    response.write(packed.subarray(sent, sent + step));
    sent += step;
    if (sent < packed.length) return;
    clearInterval(timer);
    response.end();
  }, 100);
};
const wrong: Answer = (_, response) => response.end('<html>Please log in</html>');

let dir: string;
let server: Server;
/** What the server answers, request by request; beyond the end, the last again. */
let answers: Answer[];
let requests: { url: string; range?: string }[];
let base: string;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'flatmin-fetch-'));
  requests = [];
  server = createServer((request, response) => {
    const answer = answers[Math.min(requests.length, answers.length - 1)];
    requests.push({ url: request.url as string, range: request.headers.range });
    answer(request, response);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
  rmSync(dir, { recursive: true });
});

const tiny = (file = 'numbers.gz'): CatalogueEntry => ({
  name: 'tiny',
  title: 'numbers',
  licence: 'none',
  mirrors: [`${base}/a/`, `${base}/b`],
  files: [
    {
      name: file,
      downloadBytes: packed.length,
      bytes: content.length,
      sha256: sha256(content),
    },
  ],
});

const run = (options: FetchOptions = {}) =>
  fetchDataset(tiny(), dir, { retryMs: 1, stallMs: 5000, ...options });
const target = () => join(dir, 'tiny', 'numbers.gz');
const part = () => `${target()}.part`;

function expectDelivered(): void {
  expect(readdirSync(join(dir, 'tiny'))).toEqual(['numbers.gz']);
  expect(readFileSync(target()).equals(packed)).toBe(true);
}

async function failure(promise: Promise<unknown>): Promise<FlatminError> {
  const error = await promise.then(
    () => new Error('did not fail'),
    (e) => e,
  );
  expect(error).toBeInstanceOf(FlatminError);
  return error;
}

describe('fetchDataset', () => {
  it('downloads once, then finds everything there', async () => {
    answers = [ranged];
    const progress: number[] = [];
    const first = await run({
      onProgress: ({ file, received, total }) => {
        expect([file, total]).toEqual(['numbers.gz', packed.length]);
        progress.push(received);
      },
    });
    expect(first).toEqual({ fetched: [target()], present: [] });
    expectDelivered();
    expect(progress.at(-1)).toBe(packed.length);
    expect(requests).toEqual([{ url: '/a/numbers.gz', range: undefined }]);
    expect(await run()).toEqual({ fetched: [], present: [target()] });
    expect(requests).toHaveLength(1);
  });

  it('accepts a copy unzipped or packed anew, in the folder itself too', async () => {
    answers = [status(500)];
    writeFileSync(join(dir, 'numbers'), content);
    expect(await run()).toEqual({ fetched: [], present: [join(dir, 'numbers')] });
    rmSync(join(dir, 'numbers'));
    mkdirSync(join(dir, 'tiny'));
    writeFileSync(target(), gzipSync(content, { level: 1 }));
    expect((await run()).present).toEqual([target()]);
    expect(requests).toHaveLength(0);
  });

  it('resumes a cut download where it stopped', async () => {
    answers = [cut, ranged];
    await run();
    expectDelivered();
    expect(requests).toEqual([
      { url: '/a/numbers.gz', range: undefined },
      { url: '/a/numbers.gz', range: `bytes=${half}-` },
    ]);
  });

  it('starts again where the server ignores the range', async () => {
    answers = [cut, whole];
    await run();
    expectDelivered();
    expect(requests[1].range).toBe(`bytes=${half}-`);
  });

  it('takes up a part that an earlier run left, complete or not', async () => {
    answers = [ranged];
    mkdirSync(join(dir, 'tiny'));
    for (const left of [1000, packed.length]) {
      writeFileSync(part(), packed.subarray(0, left));
      await run();
      expectDelivered();
      expect(requests.at(-1)?.range).toBe(`bytes=${left}-`);
      rmSync(target());
    }
  });

  it('drops a part that was wrong and asks the same mirror for the whole', async () => {
    answers = [ranged];
    mkdirSync(join(dir, 'tiny'));
    writeFileSync(part(), Buffer.alloc(1000));
    await run();
    expectDelivered();
    expect(requests).toEqual([
      { url: '/a/numbers.gz', range: 'bytes=1000-' },
      { url: '/a/numbers.gz', range: undefined },
    ]);
  });

  it.each([
    ['404', status(404)],
    ['the wrong bytes', wrong],
    [
      'content of the right size and another checksum',
      ((_, response) => {
        const other = Buffer.from(content);
        other[5] ^= 1;
        response.end(gzipSync(other));
      }) as Answer,
    ],
    ['more bytes than the file can have', endless],
  ])('goes on to the next mirror at once after %s', async (_, answer) => {
    answers = [answer, whole];
    await run();
    expectDelivered();
    expect(requests.map((r) => r.url)).toEqual(['/a/numbers.gz', '/b/numbers.gz']);
  });

  it('refuses a range that begins elsewhere', async () => {
    answers = [
      cut,
      (_, response) =>
        response.writeHead(206, { 'content-range': 'bytes 7-9/10' }).end(packed.subarray(7, 10)),
      ranged,
    ];
    await run();
    expectDelivered();
    expect(requests.map((r) => r.url)).toEqual(['/a/numbers.gz', '/a/numbers.gz', '/b/numbers.gz']);
  });

  it('tries again after 500 and after a stall', async () => {
    answers = [status(500), stalling, ranged];
    await run({ stallMs: 400 });
    expectDelivered();
    expect(requests.map((r) => [r.url, r.range])).toEqual([
      ['/a/numbers.gz', undefined],
      ['/a/numbers.gz', undefined],
      ['/a/numbers.gz', `bytes=${half}-`],
    ]);
  });

  it('has patience with a server that is slow but steady', async () => {
    answers = [slow];
    await run({ stallMs: 1000 });
    expectDelivered();
    expect(requests).toHaveLength(1);
  });

  it('says what each mirror answered when none delivers', async () => {
    answers = [status(503), status(503), status(503), wrong];
    const error = await failure(run());
    expect(error.code).toBe('FLATMIN_FETCH');
    expect(error.message.replaceAll(base, 'BASE').replaceAll(dir, 'DIR')).toMatchInlineSnapshot(`
      "cannot download numbers.gz from any of 2 mirrors:
        BASE/a/numbers.gz: HTTP 503 (3 tries)
        BASE/b/numbers.gz: wrong content: it holds 26 bytes, expected 300000
      help: check the network and run again, or put the file at DIR/tiny/numbers.gz yourself"
    `);
    expect(readdirSync(join(dir, 'tiny'))).toEqual([]);
  });

  it('names a server that is not there', async () => {
    await new Promise((closed) => server.close(closed));
    const error = await failure(run());
    expect(error.code).toBe('FLATMIN_FETCH');
    expect(error.message).toMatch(/ECONNREFUSED.*\(3 tries\)/);
  });

  it('stops at the signal and keeps the part for the next run', async () => {
    answers = [stalling, ranged];
    const stop = new AbortController();
    const error = await failure(
      run({ signal: stop.signal, onProgress: ({ received }) => received >= half && stop.abort() }),
    );
    expect(error.code).toBe('FLATMIN_ABORTED');
    expect(existsSync(target())).toBe(false);
    expect(readFileSync(part()).equals(packed.subarray(0, half))).toBe(true);
    expect((await failure(run({ signal: AbortSignal.abort() }))).code).toBe('FLATMIN_ABORTED');
    await run();
    expectDelivered();
    expect(requests[1].range).toBe(`bytes=${half}-`);
  });

  it('replaces its own damaged file, and leaves a damaged file of the user alone', async () => {
    answers = [ranged];
    mkdirSync(join(dir, 'tiny'));
    writeFileSync(target(), packed.subarray(0, 100));
    await run();
    expectDelivered();
    writeFileSync(join(dir, 'numbers'), content.subarray(1));
    expect((await run()).present).toEqual([target()]);
    rmSync(target());
    const error = await failure(run());
    expect(error.code).toBe('FLATMIN_DATA');
    expect(error.message.replaceAll(dir, 'DIR')).toBe(
      'DIR/numbers is damaged: it holds 299999 bytes, expected 300000; ' +
        'help: remove it and run the command again',
    );
    expect(readFileSync(join(dir, 'numbers'))).toHaveLength(299_999);
  });

  it('says which folder or file it cannot write', async () => {
    answers = [ranged];
    writeFileSync(join(dir, 'tiny'), 'in the way');
    const folder = await failure(run());
    expect([folder.code, folder.message]).toEqual([
      'FLATMIN_IO',
      expect.stringContaining(`cannot write ${join(dir, 'tiny')}: `),
    ]);
    rmSync(join(dir, 'tiny'));
    mkdirSync(part(), { recursive: true });
    const file = await failure(run());
    expect([file.code, file.message]).toEqual([
      'FLATMIN_IO',
      expect.stringContaining(`cannot write ${part()}: `),
    ]);
  });

  it('refuses unknown names and addresses', async () => {
    expect((await failure(fetchDataset('mnits', dir))).message).toBe(
      'unknown data set "mnits"; expected one of: mnist, cifar10, wnut17, text, titanic, spambase, mushroom',
    );
    for (const mirrors of [[], ['ftp://127.0.0.1/'], ['mirror']]) {
      expect((await failure(run({ mirrors }))).code).toBe('FLATMIN_ARGUMENT');
    }
  });
});

describe('a data set in an archive', () => {
  const [first, second] = [content.subarray(0, 5000), content.subarray(9, 5000)];
  const pack = (files: Record<string, Buffer>) =>
    Buffer.from(
      gzipSync(
        createTar(
          Object.entries(files).map(([name, data]) => ({ name, data: new Uint8Array(data) })),
        ),
      ),
    );
  const inFolder = (name: string, bytes: Buffer) => ({
    name,
    downloadBytes: 0,
    bytes: bytes.length,
    sha256: sha256(bytes),
  });
  const entry = (archive: Buffer): CatalogueEntry => ({
    ...tiny(),
    mirrors: [base],
    archive: { ...inFolder('all.tar.gz', archive), downloadBytes: archive.length },
    files: [inFolder('one.bin', first), inFolder('two.bin', second)],
  });
  const good = () => pack({ 'x/one.bin': first, 'x/readme.txt': first, 'x/two.bin': second });
  const fetchFrom = (archive: Buffer) => {
    answers = [(_, response) => response.end(archive)];
    return fetchDataset(entry(archive), dir, { retryMs: 1 });
  };
  const inTiny = (name: string) => join(dir, 'tiny', name);

  it('is unpacked, the files of the catalogue alone, and the archive removed', async () => {
    const archive = good();
    const { fetched } = await fetchFrom(archive);
    expect(fetched).toEqual([inTiny('one.bin'), inTiny('two.bin')]);
    expect(readdirSync(join(dir, 'tiny')).sort()).toEqual(['one.bin', 'two.bin']);
    expect(readFileSync(inTiny('two.bin')).equals(second)).toBe(true);
    expect((await fetchFrom(archive)).fetched).toEqual([]);
    expect(requests).toHaveLength(1);
  });

  it('brings what is missing or damaged alone', async () => {
    const archive = good();
    await fetchFrom(archive);
    writeFileSync(inTiny('one.bin'), second);
    const again = await fetchFrom(archive);
    expect(again).toEqual({ fetched: [inTiny('one.bin')], present: [inTiny('two.bin')] });
    expect(readFileSync(inTiny('one.bin')).equals(first)).toBe(true);
  });

  it('says which file the archive lacks or has wrong, and which is no archive', async () => {
    const lacking = await failure(fetchFrom(pack({ 'one.bin': first })));
    expect([lacking.code, lacking.message]).toEqual([
      'FLATMIN_DATA',
      `${inTiny('all.tar.gz')}: it holds no two.bin`,
    ]);
    rmSync(join(dir, 'tiny'), { recursive: true });
    const wrong = await failure(fetchFrom(pack({ 'one.bin': second, 'two.bin': second })));
    expect(wrong.message).toMatch(/one\.bin in it is damaged: it holds 4991 bytes, expected 5000/);
    expect(existsSync(inTiny('one.bin'))).toBe(false);
    rmSync(join(dir, 'tiny'), { recursive: true });
    expect((await failure(fetchFrom(first))).message).toMatch(/it is no gzipped tar: /);
  });
});

describe('checkDataset', () => {
  it('tells missing, damaged and good files apart', async () => {
    const state = async () => {
      const [{ state, path, reason }] = await checkDataset(tiny(), dir);
      return [state, path, reason];
    };
    expect(await state()).toEqual(['missing', undefined, undefined]);
    mkdirSync(join(dir, 'tiny'));
    const faults: unknown[] = [];
    const other = Buffer.from(content);
    other[5] ^= 1;
    for (const bytes of [Buffer.alloc(0), packed.subarray(0, -1), content.subarray(1), other]) {
      writeFileSync(target(), bytes);
      const [found, path, reason] = await state();
      expect([found, path]).toEqual(['damaged', target()]);
      faults.push(reason);
    }
    expect(faults).toMatchInlineSnapshot(`
      [
        "it holds 0 bytes, expected 300000",
        "unexpected end of file",
        "it holds 299999 bytes, expected 300000",
        "its SHA-256 is b3564ab8d13ab840c95aba8ce519edc439be911b0d045aab00801dc4fab918ab, expected a5dc95a1ac02be3a5ff3e8835a59e99c5411a8c40ee5ccff60c86d7022eac81a",
      ]
    `);
    writeFileSync(target(), packed);
    expect(await state()).toEqual(['ok', target(), undefined]);
  });
});

describe('the catalogue', () => {
  it('has for every file its sizes, a SHA-256 and https mirrors', () => {
    for (const { name, mirrors, files, archive } of CATALOGUE) {
      expect(catalogueEntry(name).files).toBe(files);
      expect(mirrors).not.toHaveLength(0);
      for (const mirror of mirrors) expect(new URL(mirror).protocol).toBe('https:');
      for (const file of archive === undefined ? files : [archive, ...files]) {
        expect(file.sha256).toMatch(/^[0-9a-f]{64}$/);
        expect(file.bytes).toBeGreaterThan(0);
        if (archive === undefined || file === archive) {
          expect(file.downloadBytes).toBeGreaterThan(0);
        }
      }
    }
  });

  const { FLATMIN_DATA } = process.env;
  const why = FLATMIN_DATA ? '' : ', skipped: FLATMIN_DATA names no folder';
  it.skipIf(!FLATMIN_DATA).each(['mnist', 'wnut17', 'titanic', 'mushroom'])(
    `has the checksums of %s${why}`,
    async (name) => {
      const checks = await checkDataset(name, process.env.FLATMIN_DATA as string);
      expect(checks.map((c) => [c.file.name, c.state, c.reason])).toEqual(
        catalogueEntry(name).files.map((f) => [f.name, 'ok', undefined]),
      );
    },
  );

  it.skipIf(!FLATMIN_DATA)(
    `has the checksum of spambase with the line ends of its source${why}`,
    () => {
      const file = join(process.env.FLATMIN_DATA as string, 'tabular', 'spambase.data');
      const bytes = Buffer.from(
        readFileSync(file, 'latin1').replaceAll(/\r?\n/g, '\r\n'),
        'latin1',
      );
      const [entry] = catalogueEntry('spambase').files;
      expect([bytes.length, sha256(bytes)]).toEqual([entry.bytes, entry.sha256]);
    },
  );
});
