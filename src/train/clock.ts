/**
 * `wall`: time as it passes for whoever waits. `processor`: what all threads of the process have computed, which other work
 * on the machine hardly lengthens; threads that wait for others count too, so that it is fair with one thread alone.
 */
export type ClockName = (typeof CLOCK_NAMES)[number];

export const CLOCK_NAMES = ['wall', 'processor'] as const;

/** Each tells seconds since some moment. */
export const CLOCKS: Readonly<Record<ClockName, () => number>> = {
  wall: () => performance.now() / 1000,
  processor: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  },
};
