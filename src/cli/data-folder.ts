/** Where data sets go, and are looked for, when neither `--data` nor FLATMIN_DATA names a folder. */
export const DEFAULT_DATA_FOLDER = 'data';

/** The folder that the user named. */
export const namedDataFolder = (option: string | undefined): string | undefined =>
  option || process.env.FLATMIN_DATA || undefined;
