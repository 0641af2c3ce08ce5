/**
 * Loads programs with something wrong in them into an addon, and runs those that it takes:
 * `mutated.mjs programs addon where seed first count`. Before each it writes its number, so that a process that
 * dies says where; at the end how many were refused and how many ran. A count of −1 takes every program as it is.
 */
import { readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { deserialize } from 'node:v8';

const [file, path, where, ...numbers] = process.argv.slice(2);
const [seed, first, count] = numbers.map(Number);
const { Store, Program } = createRequire(import.meta.url)(path);
const programs = deserialize(readFileSync(file));

/** Whole numbers below n, by a generator of its own for every program (Steele et al. 2014). */
function generator(start) {
  let state = BigInt(start);
  return (n) => {
    state = (state + 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn;
    let z = state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & 0xffffffffffffffffn;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & 0xffffffffffffffffn;
    return Number((z ^ (z >> 31n)) % BigInt(n));
  };
}

const NUMBERS = [0, 1, -1, 2, 3, 7, 8, 64, 1000, 2 ** 16, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 46];
const ODD = [2 ** 53, -(2 ** 31), NaN, Infinity, 0.5, 1e300];
const KINDS = ['text', null, undefined, true, [], {}, [1, 2, 3]];
const DTYPES = ['f32', 'i32', 'u8', 'bf16', 'f64'];

/** Another value in the place of one. */
function another(value, draw) {
  const pick = (list) => list[draw(list.length)];
  const turn = draw(20);
  if (turn === 0) return pick(KINDS);
  if (typeof value === 'number') {
    if (turn < 6) return value + pick([1, -1, value, 64, -64]);
    return turn < 17 ? pick(NUMBERS) : pick(ODD);
  }
  if (typeof value === 'string') {
    if (DTYPES.includes(value)) return pick(DTYPES);
    if (['arena', 'store', 'bound'].includes(value)) return pick(['arena', 'store', 'bound', 'x']);
    return pick([...new Set(programs.flatMap((p) => p.instructions.map(({ op }) => op)))]);
  }
  return pick(KINDS);
}

/** One thing that is wrong: a value, an element more or less, or a field that is gone. */
function change(parent, key, draw) {
  const value = parent[key];
  if (Array.isArray(value) && draw(2) === 0) {
    const at = draw(value.length + 1);
    if (draw(2) === 0) value.splice(at, 1);
    else value.splice(at, 0, value[draw(Math.max(1, value.length))] ?? 1);
    return;
  }
  if (typeof value === 'object' && value !== null && Object.keys(value).length > 0) {
    const keys = Object.keys(value);
    change(value, keys[draw(keys.length)], draw);
    return;
  }
  if (draw(25) === 0) delete parent[key];
  else parent[key] = another(value, draw);
}

/** A copy of a program with one to three things changed, where each field is as likely as the others. */
function mutated(spec, draw) {
  const copy = structuredClone(spec);
  const weights = ['buffers', 'buffers', 'instructions', 'instructions', 'instructions'];
  const fields = [...weights, ...Object.keys(copy)];
  for (let left = 1 + draw(3); left > 0; left--) change(copy, fields[draw(fields.length)], draw);
  // Zeroing gigabytes takes long and shows nothing.
  if (copy.arenaBytes > 2 ** 26 && copy.arenaBytes < 2 ** 46) copy.arenaBytes = 2 ** 26;
  return copy;
}

const ARRAYS = { f32: Float32Array, i32: Int32Array, u8: Uint8Array, bf16: Uint16Array };
const MOST = 2 ** 22;
const sizeOf = (shape) => shape.reduce((n, d) => n * d, 1);

function filled({ dtype, shape }, draw) {
  const array = new ARRAYS[dtype](sizeOf(shape));
  const indices = [0, 1, 2, 3, -1, 5, 2 ** 31 - 1, -(2 ** 31), 1000];
  const floats = [0, 1, -1, 0.5, 0.25, NaN, Infinity, 1e30, -1e-30];
  const wild = draw(3) === 0;
  for (let i = 0; i < array.length; i++) {
    if (dtype === 'i32') array[i] = indices[draw(wild ? indices.length : 4)];
    else array[i] = floats[draw(wild ? floats.length : 5)] * (dtype === 'f32' ? 1 : 100);
  }
  return array;
}

/** Whether the program was taken. */
function attempt(original, spec, draw) {
  const store = new Store(where, 2);
  for (const { place, ...type } of original.buffers) {
    if (place.kind !== 'store') continue;
    store.declare(place.key, type);
    if (place.key !== 'status') {
      const { buffer } = filled(type, draw);
      store.write(place.key, new Uint8Array(buffer));
    }
  }
  let program;
  try {
    program = new Program(spec, store);
  } catch (error) {
    if (!/^FLATMIN_(PROGRAM|ARGUMENT|MEMORY|SHAPE)$/.test(error.code)) throw error;
    return false;
  }
  const bound = spec.buffers.filter(({ place }) => place.kind === 'bound');
  if (bound.some(({ shape }) => sizeOf(shape) > MOST)) return true;
  const width = spec.slots.length + spec.sections.length - 1;
  if (width > MOST) return true;
  const values = [1, 2, 0, 0.5, 3, -1, NaN, 1e18];
  const rows = Float64Array.from({ length: 2 * width }, () => values[draw(draw(2) ? 4 : 8)]);
  const arrays = bound.map((type) => filled(type, draw));
  const phase = draw(4) === 0 ? draw(spec.phases.length + 1) - 1 : -1;
  program.runSync(
    rows,
    arrays,
    phase,
    new Float32Array(2 * spec.reports.length),
    new Int32Array(2),
  );
  return true;
}

let taken = 0;
const total = count < 0 ? programs.length : count;
for (let i = first; i < first + total; i++) {
  writeSync(1, `${i}\n`);
  const draw = generator(seed * 1_000_003 + i);
  const original = programs[count < 0 ? i : draw(programs.length)];
  if (attempt(original, count < 0 ? original : mutated(original, draw), draw)) taken += 1;
}
writeSync(1, `${total} programs, ${total - taken} refused, ${taken} run\n`);
