import { fileHead, type Scalars, scalarsRecord } from '../report/event-file.ts';
import type { EpochMetrics, StepEvaluation } from '../train/checkpoint.ts';
import type { Sink } from './run-events.ts';
import type { RunFolder } from './run-folder.ts';

/**
 * Keeps a run for TensorBoard beside its metrics: losses and metrics by steps. A resumed run's file is written anew, its past
 * at the times that its epochs took.
 */
export function tensorboardSink(folder: RunFolder, now = () => Date.now() / 1000): Sink {
  let stepsAnEpoch = 1;
  const past: (EpochMetrics | StepEvaluation)[] = [];
  let training = false;
  const scalars = (told: EpochMetrics | StepEvaluation, wallTime: number): Scalars => {
    const step = 'step' in told ? told.step : told.epoch * stepsAnEpoch;
    return { wallTime, step, values: valuesOf(told) };
  };
  const begin = () => {
    let wallTime = now() - past.reduce((sum, told) => sum + secondsOf(told), 0);
    const records = [fileHead(wallTime)];
    for (const told of past) {
      wallTime += secondsOf(told);
      records.push(scalarsRecord(scalars(told, wallTime)));
    }
    folder.beginTensorboard(Buffer.concat(records));
  };
  return {
    take: (event) => {
      if (event.event === 'start') stepsAnEpoch = Math.ceil(event.examples / event.batch);
      else if (event.event === 'epoch' || event.event === 'evaluation') {
        if (training) folder.appendTensorboard(scalarsRecord(scalars(event, now())));
        else past.push(event);
      } else if (event.event === 'training' || (event.event === 'result' && !training)) {
        // A finished run is only told again.
        training = event.event === 'training';
        begin();
      }
    },
  };
}

const secondsOf = (told: EpochMetrics | StepEvaluation): number =>
  'epochSeconds' in told ? told.epochSeconds : 0;

function valuesOf(told: EpochMetrics | StepEvaluation): Record<string, number> {
  const { testLoss, testAccuracy, metrics } = told;
  const judged = Object.entries({ loss: testLoss, accuracy: testAccuracy, ...metrics });
  const trained = 'trainLoss' in told ? { loss: told.trainLoss, seconds: told.epochSeconds } : {};
  const all = [
    ...Object.entries(trained).map(([name, value]) => [`train/${name}`, value] as const),
    ...judged.map(([name, value]) => [`test/${name}`, value] as const),
  ];
  return Object.fromEntries(all.filter(([, value]) => value !== undefined)) as Record<
    string,
    number
  >;
}
