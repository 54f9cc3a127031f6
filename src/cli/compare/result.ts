/** What the comparison is asked for, and what it gives. */

import type { ConversationRow } from '../conversation/read.js';
import type { JobFigures } from '../replay/result.js';

export interface BaselineOptions {
  readonly files: readonly string[];
  readonly workers: number;
  /** Passes over the files. */
  readonly repeat: number;
  /** Conversations to name. */
  readonly top: number;
}

export interface BaselineResult extends JobFigures {
  readonly top: readonly ConversationRow[];
  /** Bytes on the wire. */
  readonly bytesPerSecond: number;
}
