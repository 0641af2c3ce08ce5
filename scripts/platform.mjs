// The platforms for which packages with compiled kernels are published, and the one that this is.
import { closeSync, openSync, readSync } from 'node:fs';

/** What npm takes a package for: it installs the one whose `os`, `cpu` and `libc` are the machine's. */
export const PLATFORMS = {
  'linux-x64-gnu': { os: 'linux', cpu: 'x64', libc: 'glibc' },
  'linux-arm64-gnu': { os: 'linux', cpu: 'arm64', libc: 'glibc' },
  'linux-x64-musl': { os: 'linux', cpu: 'x64', libc: 'musl' },
};

export const packageOf = (platform) => `@flatmin/${platform}`;

/** "linux-x64-gnu" of the running process; "darwin-arm64" where there is one C library. */
export const platform = [
  process.platform,
  process.arch,
  ...(process.platform === 'linux' ? [libcOf(process.execPath)] : []),
].join('-');

/** Which C library a program starts with: its first page names the loader. */
function libcOf(program) {
  const page = Buffer.alloc(4096);
  try {
    const file = openSync(program, 'r');
    readSync(file, page);
    closeSync(file);
  } catch {}
  return page.includes('/ld-musl-') ? 'musl' : 'gnu';
}
