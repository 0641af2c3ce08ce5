import { FROM_THE_START } from '../graph/moment.ts';
import type { OptimizerTrace, Parameter } from './context.ts';

/** What names of state end with that belongs to tensors which joined after `step` steps. */
export const ageSuffix = (step: number): string => (step === 0 ? '' : `@${step}`);

/**
 * Traces a method that counts steps, for its bias corrections or its refreshes: tensors that joined together count
 * together, those that joined later from when they did, with shared state of their own.
 */
export function byAge(t: OptimizerTrace, trace: (t: OptimizerTrace) => void): void {
  const cohorts = new Map<number, number[]>();
  const ageOf = ({ age = FROM_THE_START }: Parameter) => age;
  t.params.forEach((parameter, i) => {
    const { step } = ageOf(parameter);
    cohorts.set(step, [...(cohorts.get(step) ?? []), i]);
  });
  if (cohorts.size === 1 && cohorts.has(0)) {
    trace(t);
    return;
  }
  const pass = t.gradient();
  t.checkFinite(pass.grads);
  for (const [step, own] of cohorts) {
    t.graph.inAge(ageOf(t.params[own[0]]), () =>
      trace({
        ...t,
        params: own.map((i) => t.params[i]),
        gradient: () => ({ ...pass, grads: own.map((i) => pass.grads[i]) }),
        state: (name, ...rest) => t.state(name + ageSuffix(step), ...rest),
        checkFinite: () => {},
      }),
    );
  }
}
