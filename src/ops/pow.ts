import type { Value } from '../graph/graph.ts';
import { binary, equal, greaterEqual, logicalAnd, mul, type Scalar, sub } from './binary.ts';
import { log } from './unary.ts';
import { where } from './where.ts';

/** As C's: 1 to whatever power is 1, and so is −1 to an infinite one. */
const power = (a: number, b: number): number =>
  a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b;

/**
 * a to the power b, broadcast as in NumPy; numbers are scalars. NaN for a negative a to a power that is not whole. The
 * gradient by a is 0 where b is, that by b is 0 where a is and b is not negative, and NaN where a is negative.
 */
export const pow: (a: Scalar, b: Scalar) => Value = binary('pow', power, (a, b, dy, y) => [
  mul(dy, where(equal(b, 0), 0, mul(b, pow(a, sub(b, 1))))),
  mul(dy, where(logicalAnd(equal(a, 0), greaterEqual(b, 0)), 0, mul(y, log(a)))),
]);
