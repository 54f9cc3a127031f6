/**
 * The payload of the packet that a scanner is in: how much of it is still to come, and which parts of it lie
 * in this cluster.
 */

import type { Feed } from './feed.js';
import { PART_CONTINUED, PART_CONTINUES, type Parts } from './parts.js';

/** Longest captured packet that is believed: what tcpdump and Wireshark allow. */
export const PACKET_BYTES_MAX = 262_144;

export class Payload {
  private remaining = 0;
  private started = true;
  private total = 0;
  private original = 0;
  private link = 0;

  constructor(
    private readonly feed: Feed,
    private readonly parts: Parts,
  ) {}

  /** The next `captured` bytes are a packet. */
  begin(captured: number, original: number, link: number): void {
    const { feed } = this;
    const { position } = feed;
    if (feed.limit - position >= captured) {
      // The packet lies in this cluster whole: nearly always.
      this.parts.add(position, captured, captured, original, link);
      feed.position = position + captured;
      return;
    }
    this.remaining = this.total = captured;
    this.original = original;
    this.link = link;
    this.started = false;
    this.advance();
  }

  /** Goes on with the packet. False while some of it is still to come. */
  advance(): boolean {
    if (this.started && this.remaining === 0) return true;
    const { feed } = this;
    const length = Math.min(this.remaining, feed.available);
    if (length === 0) return false;
    this.remaining -= length;
    const mark = this.link | (this.started ? PART_CONTINUES : 0) | (this.remaining > 0 ? PART_CONTINUED : 0);
    this.parts.add(feed.position, length, this.total, this.original, mark);
    this.started = true;
    feed.position += length;
    return this.remaining === 0;
  }

  /** Bytes of the packet that are still to come. */
  get missing(): number {
    return this.remaining;
  }
}
