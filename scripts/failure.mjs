// How the scripts fail: one clear line on stderr, a status, and no stack.

/** A failure whose message is all that its reader needs. A script that throws it ends with `status`. */
export class Failure extends Error {
  constructor(message, status = 1) {
    super(message);
    this.status = status;
  }
}

/** One line on stderr; stdout belongs to the job itself. */
export function say(line) {
  process.stderr.write(`mbuma: ${line}\n`);
}
