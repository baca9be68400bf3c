import type { AnswerCall, Answered, Question, StepReport, StepRun } from './code-host.ts';
import type { ToThread } from './thread/thread-messages.ts';

/** What the thread of user code is to do: run a step's function, or ask another function of the configuration. */
export interface Task {
  readonly configHash: string;
  /** The message that begins it. */
  readonly order: (id: number) => ToThread;
  /** For the log: `project kate, builder debian, step make`. */
  readonly name: () => string;
  /** What it is, in texts of its end: `the step`. */
  readonly noun: string;
  /** Answers the calls that it makes; a question makes none. */
  readonly answer?: AnswerCall;
  readonly end: (end: TaskEnd) => void;
}

/** As the thread told it; or it could not be done (`broken`), or nobody waits for it any more (`dropped`). */
export type TaskEnd =
  | { readonly report: StepReport }
  | { readonly answered: Answered }
  | { readonly broken: string }
  | { readonly dropped: string };

export function stepTask(
  run: StepRun,
  stepName: () => string,
  answer: AnswerCall,
  resolve: (report: StepReport) => void,
): Task {
  return {
    configHash: run.configHash,
    order: (id) => ({ type: 'run', id, run }),
    name: () => `project ${run.project}, builder ${run.builder}, step ${stepName()}`,
    noun: 'the step',
    answer,
    end(end) {
      if ('report' in end) resolve(end.report);
      else if ('dropped' in end) resolve({ result: 'cancelled', summary: end.dropped });
      else resolve({ result: 'exception', summary: 'broken' in end ? end.broken : 'it was answered as a question' });
    },
  };
}

export function askTask(question: Question, resolve: (answered: Answered) => void): Task {
  const { configHash, place, args } = question;
  return {
    configHash,
    order: (id) => ({ type: 'ask', id, configHash, place, args }),
    name: () => place,
    noun: 'the function',
    end(end) {
      if ('answered' in end) resolve(end.answered);
      else if ('report' in end) resolve({ error: end.report.summary ?? end.report.result });
      else resolve({ error: 'broken' in end ? end.broken : end.dropped });
    },
  };
}
