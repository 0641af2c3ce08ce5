/** Makes `folder`, which must not exist, with all that gpu-check needs. */
export function prepare(folder: string, options: { withNode: boolean }): void;
