/** Functions of two numbers, from fixed starts, for convergence and for the pictures of the documentation. */
export interface Landscape {
  readonly value: (x: number, y: number) => number;
  readonly gradient: (x: number, y: number) => readonly [number, number];
  readonly start: readonly [number, number];
  readonly minimum: readonly [number, number];
}

/** ½(x² + 10y²) */
export const parabola: Landscape = {
  value: (x, y) => 0.5 * (x * x + 10 * y * y),
  gradient: (x, y) => [x, 10 * y],
  start: [-4, 1.5],
  minimum: [0, 0],
};

/** (1 − x)² + 100(y − x²)² */
export const rosenbrock: Landscape = {
  value: (x, y) => (1 - x) ** 2 + 100 * (y - x * x) ** 2,
  gradient: (x, y) => [-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)],
  start: [-1.2, 1],
  minimum: [1, 1],
};
