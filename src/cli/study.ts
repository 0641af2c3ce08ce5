import { join } from 'node:path';
import type { DeviceName } from '../backend/device.ts';
import { FlatminError } from '../errors.ts';
import { VERDICTS } from '../report/report.ts';
import { writeReport } from '../report/write.ts';
import { reportOf } from '../study/report-of.ts';
import { measuredOf, runStudy } from '../study/run-study.ts';
import type { Study } from '../study/study.ts';
import { StudyFolder } from '../study/study-folder.ts';
import type { StudyProgress } from '../study/study-options.ts';
import { howToGoOn } from './go-on.ts';
import { interruptible } from './interrupt.ts';
import { findData } from './problem.ts';
import { quoted } from './words.ts';
import { type WorkProgress, workProgress } from './work-progress.ts';

export interface StudyCommandOptions {
  readonly quick?: boolean;
  readonly select?: boolean;
  readonly only?: readonly string[];
  readonly seeds?: number;
  readonly data?: string;
  readonly synthetic?: boolean;
  readonly device: DeviceName;
  readonly threads?: number;
  readonly untimed?: boolean;
  readonly paces?: boolean;
  readonly jobs?: number;
  readonly out?: string;
  readonly resume?: boolean;
  readonly report?: boolean;
}

/** Runs a study, as far as it is not in its folder yet, and writes its report: verdicts on stdout, progress on stderr. */
export async function runStudyCommand(study: Study, options: StudyCommandOptions): Promise<void> {
  const { quick, select = false, only, seeds, device, threads, untimed, paces, jobs } = options;
  const { out = join('studies', study.name), resume = false } = options;
  checkParts(study, only);
  const folder = new StudyFolder(out);
  const size = quick ? 'quick' : 'full';
  const release = folder.lock();
  try {
    if (!options.report) {
      await interruptible(async (signal) => {
        const progress = linesOf(process.stderr);
        try {
          await runStudy(study, folder, {
            ...{ size, only, seeds, select, device, threads, untimed, paces, jobs },
            ...{ resume, signal, progress },
            dirOf: (task) => findData(task, options),
          });
        } catch (error) {
          const stopped = error instanceof FlatminError && error.code === 'FLATMIN_ABORTED';
          throw stopped ? howToGoOn(error, { out, resume }) : error;
        } finally {
          progress.end();
        }
      });
      if (process.exitCode) return;
    }
    const measured = measuredOf(study, folder);
    const command = commandOf(study, options);
    const report = reportOf(study, measured, folder, { size, command });
    const { page } = await writeReport(report, folder.report);
    const decided = study.claims.map(({ judge }) => judge(measured).decision);
    const counts = VERDICTS.map(
      (decision) => `${decided.filter((one) => one === decision).length} ${decision}`,
    );
    process.stdout.write(`${study.title}: ${counts.join(', ')}\n${page}\n`);
    if (quick)
      process.stderr.write('A quick run is too small to decide what the study is about.\n');
  } finally {
    release();
  }
}

function checkParts(
  { name, comparisons, grids, experiments = [] }: Study,
  only: readonly string[] = [],
): void {
  const parts = [...comparisons, ...grids, ...experiments].map((part) => part.name);
  const unknown = only.find((part) => !parts.includes(part));
  if (unknown === undefined) return;
  throw new FlatminError(
    'FLATMIN_ARGUMENT',
    `${name} has no part "${unknown}"; there are ${parts.join(', ')}`,
  );
}

/** The command as anybody can give it, wherever the data are. */
function commandOf(
  study: Study,
  { quick, select, only, seeds, threads, untimed, paces, synthetic }: StudyCommandOptions,
): string {
  return [
    ...['flatmin', 'study', study.name],
    ...(quick ? ['--quick'] : []),
    ...(select ? ['--select'] : []),
    ...(only === undefined ? [] : ['--only', quoted(only.join(','))]),
    ...(seeds === undefined ? [] : ['--seeds', `${seeds}`]),
    ...(threads === undefined ? [] : ['--threads', `${threads}`]),
    ...(untimed ? ['--untimed'] : []),
    ...(paces ? ['--paces'] : []),
    ...(synthetic ? ['--synthetic'] : ['--data', '"$FLATMIN_DATA"']),
  ].join(' ');
}

/** A heading a part, and progress under it. */
function linesOf(stream: NodeJS.WriteStream): StudyProgress & { end(): void } {
  let bar: WorkProgress | undefined;
  let [done, total] = [0, 0];
  const end = () => bar?.end();
  return {
    begin: (part, finished, of) => {
      end();
      const left = finished === of ? 'all done' : `${of - finished} of ${of} left`;
      stream.write(`${part}: ${left}\n`);
      bar = workProgress(stream, 'done');
      [done, total] = [finished, of];
    },
    finished: () => {
      done += 1;
      bar?.tell({ done, of: total });
    },
    end,
  };
}
