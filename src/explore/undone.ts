/** A scheduler with a memory that goes back to where it was: each store notes the old word. */

import type { Rules } from './rules.js';
import { Scheduler } from './scheduler.js';
import { placeHigh, placeLow } from './states.js';

const FIRST_UNDO = 1 << 12;

export abstract class UndoneScheduler extends Scheduler {
  readonly buffer: ArrayBuffer;
  protected readonly words: Int32Array;
  protected readonly bytes: Uint8Array;
  private undoWords = new Int32Array(FIRST_UNDO);
  private undoValues = new Int32Array(FIRST_UNDO);
  private undoLength = 0;
  /** The memory as it is in the hash, and how far the log has been looked through for what is new. */
  private readonly digested: Int32Array;
  private digestedLength = 0;

  constructor(rules: Rules, buffer: ArrayBuffer) {
    super(rules);
    this.buffer = buffer;
    this.words = new Int32Array(buffer);
    this.bytes = new Uint8Array(buffer);
    this.digested = new Int32Array(this.states === null ? 0 : this.words.length);
  }

  /** The memory as it is now is what every schedule starts from. */
  keep(): void {
    this.undoLength = 0;
    if (this.states !== null) this.digested.set(this.words);
  }

  /** Undoes everything since `keep`. */
  undo(): void {
    const { words, undoWords, undoValues, digested } = this;
    for (let at = this.undoLength - 1; at >= 0; at--)
      words[undoWords[at] as number] = undoValues[at] as number;
    for (let at = 0; at < this.digestedLength; at++) {
      const word = undoWords[at] as number;
      digested[word] = words[word] as number;
    }
    this.undoLength = 0;
    this.digestedLength = 0;
    this.memoryLow = 0;
    this.memoryHigh = 0;
  }

  protected override digestMemory(): void {
    const { words, undoWords, digested } = this;
    for (let at = this.digestedLength; at < this.undoLength; at++) {
      const word = undoWords[at] as number;
      const old = digested[word] as number;
      const value = words[word] as number;
      if (old === value) continue;
      this.memoryLow ^= placeLow(word, old) ^ placeLow(word, value);
      this.memoryHigh ^= placeHigh(word, old) ^ placeHigh(word, value);
      digested[word] = value;
    }
    this.digestedLength = this.undoLength;
  }

  protected remember(word: number): void {
    const at = this.undoLength;
    if (at === this.undoWords.length) {
      const [indexes, values] = [this.undoWords, this.undoValues];
      this.undoWords = new Int32Array(at * 2);
      this.undoValues = new Int32Array(at * 2);
      this.undoWords.set(indexes);
      this.undoValues.set(values);
    }
    this.undoWords[at] = word;
    this.undoValues[at] = this.words[word] as number;
    this.undoLength = at + 1;
  }

  protected rememberAll(start: number, stop: number): void {
    for (let word = start >> 2; word << 2 < stop; word++) this.remember(word);
  }
}
