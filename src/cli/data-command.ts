import type { Command } from 'commander';
import { CATALOGUE } from '../data/catalogue.ts';
import { oneOf } from './arguments.ts';
import { checkData, type DataOptions, fetchData, listData } from './data.ts';
import { DEFAULT_DATA_FOLDER, namedDataFolder } from './data-folder.ts';
import { interruptible } from './interrupt.ts';

const names = CATALOGUE.map(({ name }) => name);

export function dataCommand(program: Command): void {
  const data = program.command('data').description('download, list or check data sets');

  const ofOne = (verb: string, description: string) =>
    data
      .command(verb)
      .description(description)
      .argument('<name>', `one of: ${names.join(', ')}`, oneOf(names))
      .option('--data <dir>', `data folder (default: FLATMIN_DATA, or ./${DEFAULT_DATA_FOLDER})`)
      .option('--json', 'print one JSON object a line');

  ofOne('fetch', 'download what is missing, and check it').action(
    (name: string, options: FolderOptions) =>
      interruptible((signal) => fetchData(name, folderOf(options), { ...options, signal })),
  );
  ofOne('check', 'compare the files with their checksums').action(
    async (name: string, options: FolderOptions) => {
      if (!(await checkData(name, folderOf(options), options))) process.exitCode = 1;
    },
  );
  data
    .command('list')
    .description('list the data sets that can be downloaded')
    .option('--json', 'print one JSON object a line')
    .action(listData);
}

type FolderOptions = DataOptions & { readonly data?: string };

const folderOf = ({ data }: FolderOptions) => namedDataFolder(data) ?? DEFAULT_DATA_FOLDER;
