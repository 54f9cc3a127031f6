/**
 * Schedules in writing: where something else happened than what happens by itself.
 *
 *   0:1,1c:0,2f:k    at step 0 thread 1, at 1c (base 36) thread 0; at 2f the running thread is killed
 *
 * By itself a thread goes on as long as it can, and after it the one with the lowest number runs. Places that
 * do not apply are passed over; so a schedule can be shortened by leaving out.
 */

/** What is decided at a step. From 0 to 15: the thread of that number runs. */
export const Choice = {
  GO_ON: -1,
  /** All that could follow has been run, or will be: the run ends. Never written down. */
  PRUNE: -2,
  /** And the number of a thread: its sleep ends because its time is up, and it runs. */
  TIME_OUT: 16,
  /** And the number of a thread: its sleep ends for no reason, and it runs. */
  WAKE: 32,
  /** The running thread is killed, and the world hears of it at once. */
  KILL: 48,
  /** The same, and the world hears of it when nobody else can run. */
  KILL_LATE: 49,
} as const;

export const THREADS_MAX = 16;

/** One place of a schedule. */
export interface Turn {
  readonly step: number;
  readonly choice: number;
}

function printChoice(choice: number): string {
  if (choice === Choice.KILL) return 'k';
  if (choice === Choice.KILL_LATE) return 'l';
  const thread = (choice & 15).toString(36);
  if (choice >= Choice.WAKE) return `w${thread}`;
  return choice >= Choice.TIME_OUT ? `t${thread}` : thread;
}

export function printSchedule(turns: readonly Turn[]): string {
  return turns.map(({ step, choice }) => `${step.toString(36)}:${printChoice(choice)}`).join(',');
}

/** @throws Error that names the part which says nothing */
export function readSchedule(text: string): Turn[] {
  const parts = text.split(',').filter((part) => part.trim() !== '');
  return parts.map((part) => {
    const match = /^\s*([0-9a-z]+):(?:([tw]?)([0-9a-f])|([kl]))\s*$/.exec(part);
    if (match === null) throw new Error(`schedule: "${part}" is not like 1c:0, 1c:t0, 1c:w0, 1c:k or 1c:l`);
    const step = Number.parseInt(match[1] as string, 36);
    if (match[4] !== undefined) return { step, choice: match[4] === 'k' ? Choice.KILL : Choice.KILL_LATE };
    const base = match[2] === 't' ? Choice.TIME_OUT : match[2] === 'w' ? Choice.WAKE : 0;
    return { step, choice: base + Number.parseInt(match[3] as string, 16) };
  });
}
