import { SingleBar } from 'cli-progress';
import { clock } from './progress-lines.ts';

/** So many pieces of work are done, of so many. */
export interface Counts {
  readonly done: number;
  readonly of: number;
}

/** Progress of pieces of work that are alike, with the time left. */
export interface WorkProgress {
  tell(counts: Counts): void;
  end(): void;
}

const LINE_MS = 10_000;

/** A bar on a terminal, else a line now and then; `what` names the pieces. */
export function workProgress(stream: NodeJS.WriteStream, what: string): WorkProgress {
  const began = performance.now();
  let first: number | undefined;
  const left = ({ done, of }: Counts) => {
    first ??= done - 1;
    return clock(((of - done) / (done - first)) * ((performance.now() - began) / 1000));
  };
  if (!stream.isTTY) {
    let last = began;
    return {
      tell: (counts) => {
        const time = left(counts);
        if (performance.now() - last < LINE_MS && counts.done < counts.of) return;
        last = performance.now();
        stream.write(`${counts.done} of ${counts.of} ${what}, ${time} left\n`);
      },
      end: () => {},
    };
  }
  const bar = new SingleBar({
    stream,
    clearOnComplete: true,
    format: `{bar} {value} of {total} ${what}, {time} left`,
  });
  let started = false;
  return {
    tell: (counts) => {
      const time = left(counts);
      if (!started) bar.start(counts.of, counts.done, { time });
      started = true;
      bar.update(counts.done, { time });
    },
    end: () => bar.stop(),
  };
}
