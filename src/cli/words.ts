/** For a POSIX shell. */
export const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** The command that is running. */
export const commandLine = (): string =>
  ['flatmin', ...process.argv.slice(2).map(quoted)].join(' ');
