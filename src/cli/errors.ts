/** The ways in which a command can end early. Each is one line on standard error, and no stack. */

/** The user asked for something that cannot be: exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** A file, or what is in it, or the memory, stands in the way: exit status 1. */
export class InputError extends Error {
  override readonly name: string = 'InputError';
}

/** What is wrong with a capture file, and where: `<file>: at byte offset <offset>: <reason>`. */
export class CaptureError extends InputError {
  readonly file: string;
  readonly offset: number;
  readonly reason: string;

  constructor(file: string, offset: number, reason: string) {
    super(`${file}: at byte offset ${offset}: ${reason}`);
    this.file = file;
    this.offset = offset;
    this.reason = reason;
  }
}

/** The user interrupted: exit status 130. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';

  constructor() {
    super('interrupted');
  }
}

const reasons = new Map([
  ['ENOENT', 'no such file'],
  ['EACCES', 'permission denied'],
  ['EISDIR', 'is a directory'],
  ['ENOTDIR', 'a part of the path is not a directory'],
  ['EMFILE', 'too many open files'],
  ['ELOOP', 'too many symbolic links'],
]);

/** Why the system did not give a file, in words. */
export function fileReason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return reasons.get(code ?? '') ?? message;
}
