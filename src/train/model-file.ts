import { z } from 'zod';
import { checkNames, checkObject, checkOneOf, checkText } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import type { StateDict } from '../step/state-dict.ts';
import type { InputForm } from './input-form.ts';
import { anyNumber, firstFault, toJson } from './json-numbers.ts';
import { COUNTER, toPyTorch } from './pytorch-names.ts';
import { readSafetensors, writeSafetensors } from './safetensors.ts';

const NAMES = ['flatmin', 'pytorch'] as const;

/**
 * Options of `model.save`: the names of tensors, and texts that the file keeps with the weights. An unknown option is
 * `FLATMIN_ARGUMENT`.
 */
export interface SaveOptions {
  /**
   * `pytorch`: as in a state dict of PyTorch, where these differ: `embedding.weight`, and `bias_ih_l0` and `bias_hh_l0` of
   * recurrent layers. `loadModel` takes either. Default `flatmin`.
   */
  readonly names?: (typeof NAMES)[number];
  /** Texts that go with the model, such as the vocabulary's JSON; a loaded model has them as `metadata`. Default none. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Texts by name: any but `format` and those that begin with `flatmin`. */
export type Metadata = Readonly<Record<string, string>>;

const INPUT = 'flatmin.input';
const isOwn = (name: string) => name === 'format' || name.startsWith('flatmin');

const numbers = z.array(anyNumber);
const formSchema = z.object({
  dtype: z.enum(['u8', 'f32', 'i32']),
  shape: z.array(z.int().nonnegative()),
  normalise: z.object({ scale: numbers, shift: numbers }).optional(),
}) satisfies z.ZodType<InputForm>;

/** A model's tensors and what its inputs are, as safetensors. */
export function writeModel(
  path: string,
  state: StateDict,
  form: InputForm,
  { names = 'flatmin', metadata = {} }: SaveOptions,
): void {
  const given = names === 'pytorch' ? toPyTorch(state) : state;
  const tensors = Object.fromEntries(
    Object.entries(given).map(([name, tensor]) => [name, { dtype: 'f32' as const, ...tensor }]),
  );
  const own = { format: 'flatmin model 1', [INPUT]: toJson(form) } as const;
  writeSafetensors(path, { tensors, metadata: { ...metadata, ...own } });
}

/** Throws unless a model can be saved so. */
export function checkSaving(path: unknown, options: SaveOptions): void {
  checkText('The path of save', path);
  checkNames<SaveOptions>('save', options, { names: true, metadata: true });
  const { names, metadata } = options;
  if (names !== undefined) checkOneOf('names', names, NAMES);
  if (metadata === undefined) return;
  checkObject('metadata', metadata);
  for (const [name, text] of Object.entries(metadata)) {
    checkText(`metadata.${name}`, text);
    if (!isOwn(name)) continue;
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `metadata.${name}: "format" and names that begin with "flatmin" are the file's own; choose another name`,
    );
  }
}

export interface ModelFile {
  readonly state: StateDict;
  /** None where another program wrote the file. */
  readonly form: InputForm | undefined;
  readonly metadata: Metadata;
}

/** Reads a model, whoever wrote it. `FLATMIN_DATA` where the file is missing, damaged or says nonsense of its inputs. */
export function readModel(path: string): ModelFile {
  const { tensors, metadata } = readSafetensors(path, (name) => COUNTER.test(name));
  const others = Object.entries(metadata).filter(([name]) => !isOwn(name));
  return {
    state: tensors,
    form: metadata[INPUT] === undefined ? undefined : readForm(path, metadata[INPUT]),
    metadata: Object.fromEntries(others),
  };
}

function readForm(path: string, text: string): InputForm {
  const refuse = (why: string) =>
    new FlatminError('FLATMIN_DATA', `${path}: its metadata "${INPUT}" ${why}`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw refuse('is not JSON');
  }
  const { data, error } = formSchema.safeParse(json);
  if (error !== undefined) throw refuse(`is no form of inputs, ${firstFault(error)}`);
  return data;
}

/** Puts a state into a model; what does not fit is told with `whose` it is. */
export function loadInto(
  model: { loadStateDict(state: StateDict): unknown },
  whose: string,
  state: StateDict,
): void {
  try {
    model.loadStateDict(state);
  } catch (error) {
    if (!(error instanceof FlatminError)) throw error;
    throw new FlatminError(error.code, `${whose}: ${error.message}`, { cause: error });
  }
}
