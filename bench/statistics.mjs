/** The middle value; of an even number of values, the mean of the middle two; NaN of none. */
export function median(values) {
  if (values.length === 0) return Number.NaN;
  const sorted = Array.from(values).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * The median of the ratios ours / theirs, each taken between two processes that ran next to each other: the
 * machine may change its speed from one minute to the next, and then both have changed.
 */
export function pairedRatio(pairs) {
  return median(pairs.map(({ ours, theirs }) => ours / theirs));
}

/**
 * The order of one round (`null` is ours): every peer has a process of ours right before or right after it,
 * and one process of ours serves two peers.
 */
export function interleave(peers) {
  const order = [null];
  const pairs = [];
  for (let i = 0; i < peers.length; i += 2) {
    pairs.push({ peer: peers[i], oursAt: order.length - 1, theirsAt: order.length });
    order.push(peers[i]);
    if (i + 1 < peers.length) {
      order.push(peers[i + 1], null);
      pairs.push({ peer: peers[i + 1], oursAt: order.length - 1, theirsAt: order.length - 2 });
    }
  }
  return { order, pairs };
}

/** `values` begun at another one each round, and read backwards every second round. */
export function rotate(values, round) {
  if (values.length === 0) return [];
  const start = round % values.length;
  const turned = [...values.slice(start), ...values.slice(0, start)];
  return round % 2 === 1 ? turned.reverse() : turned;
}
