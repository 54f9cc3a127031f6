/** The two ways in which a command can be refused. Both end in one line on standard error and no stack. */

/** The user asked for something that cannot be: exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** A file, or what is in it, or the memory, stands in the way: exit status 1. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

/** What is wrong with a capture file, and where: `<file>: byte <offset>: <reason>`. */
export class CaptureError extends InputError {
  readonly file: string;
  readonly offset: number;
  readonly reason: string;

  constructor(file: string, offset: number, reason: string) {
    super(`${file}: at byte ${offset}: ${reason}`);
    this.file = file;
    this.offset = offset;
    this.reason = reason;
  }
}
