/** `flatmin build` where the package cannot be written to. */
import { describe, expect, it, vi } from 'vitest';
import { build } from '../../src/cli/build.ts';
import { FlatminError } from '../../src/errors.ts';

const failure = vi.hoisted(() => ({ error: new Error() }));
vi.mock('../../scripts/build.mjs', () => ({ buildNative: () => Promise.reject(failure.error) }));

describe('flatmin build', () => {
  it.each([
    ['EROFS', 'read-only file system'],
    ['EACCES', 'permission denied'],
    ['ENOSPC', 'no space left on device'],
  ])('says that it cannot write, %s', async (code, what) => {
    const message = `${code}: ${what}, mkdir '/package/build'`;
    failure.error = Object.assign(new Error(message), { code, syscall: 'mkdir' });
    const error = await build().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(FlatminError);
    expect(error).toMatchObject({ code: 'FLATMIN_IO', cause: failure.error });
    expect((error as Error).message).toMatch(
      /^cannot build in .*: E[A-Z]+: .*; help: run the command as/,
    );
  });

  it('leaves an error of its own as it is', async () => {
    failure.error = new TypeError('a bug');
    await expect(build()).rejects.toBe(failure.error);
  });
});
