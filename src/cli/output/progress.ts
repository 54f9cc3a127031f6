/** One line on the terminal that says how far the replay is. Nothing at all where there is no terminal. */

import { createLogUpdate } from 'log-update';
import type { Progress } from '../replay/result.js';
import { formatScaled } from './numbers.js';

export interface ProgressLine {
  show(progress: Progress): void;
  /** Takes the line away. */
  end(): void;
}

const BAR_WIDTH = 30;
const INTERVAL_MS = 100;

/** A terminal that moves its cursor, and a user who has not asked for plain text. */
export function canShowProgress(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
}

export function createProgressLine(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): ProgressLine {
  if (!canShowProgress(stream, env)) return { show() {}, end() {} };
  // The cursor stays visible: then nothing has to be put back if the process is killed.
  const update = createLogUpdate(withSize(stream), { showCursor: true });
  const started = performance.now();
  let next = 0;
  return {
    show(progress) {
      const now = performance.now();
      if (now < next) return;
      next = now + INTERVAL_MS;
      update(progressText(progress, (now - started) / 1000));
    },
    end: () => update.clear(),
  };
}

/** The same stream. A terminal that does not know its size says 0, and would be shown nothing. */
function withSize(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  return Object.create(stream, {
    columns: { get: () => stream.columns || 80 },
    rows: { get: () => stream.rows || 24 },
    write: { value: stream.write.bind(stream) },
  }) as NodeJS.WriteStream;
}

export function progressText({ done, total, count, noun }: Progress, seconds: number): string {
  const rate = seconds > 0 ? count / seconds : 0;
  const tail = `${formatScaled(count)} ${noun}, ${formatScaled(Math.round(rate))}/s`;
  if (total === 0) return tail;
  // Files may grow while they are read.
  const share = Math.min(1, done / total);
  const filled = Math.floor(share * BAR_WIDTH);
  const percent = String(Math.floor(share * 100)).padStart(3);
  return `[${'='.repeat(filled)}${' '.repeat(BAR_WIDTH - filled)}] ${percent} %  ${tail}`;
}
