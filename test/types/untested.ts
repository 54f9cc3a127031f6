// What may be nothing must be tested before it is used: each line that ends with "refused" is an error to the
// compiler, and no other line is. `types.test.mjs` compiles this.

import { type Addr, createMemory, type UnlockToken } from '../../dist/index.js';

const memory = createMemory({ bytes: 1 << 20 });
const zone = memory.zone({ name: 'zone', size: 64 });
const counted = memory.zone({ name: 'counted', size: 64, referenceCounted: true });
const type = memory.mallocType({ name: 'type' });
const { mbufs } = memory;
const mutex = memory.mutex('mutex');

export function use(address: Addr): number {
  return memory.words[address >> 2] ?? 0;
}

export function zones(): void {
  use(zone.tryAlloc()); // refused
  use(counted.tryAlloc()); // refused
  const item = zone.tryAlloc();
  zone.claim(item); // refused
  if (item !== 0) zone.claim(item);
  zone.free(item);
  use(zone.alloc());
}

export function blocks(block: Addr): void {
  use(type.tryAlloc(100)); // refused
  use(type.tryCalloc(10, 10)); // refused
  use(type.tryAlignedAlloc(64, 100)); // refused
  use(type.tryRealloc(block, 100)); // refused
  block = type.tryRealloc(block, 100); // refused
  const other = type.tryAlloc(100);
  type.usableSize(other); // refused
  if (other === 0) return;
  type.usableSize(other);
  use(type.alloc(100));
  use(type.realloc(block, 100));
}

export async function awaited(block: Addr): Promise<void> {
  use(type.allocAsync(100)); // refused
  use(await type.allocAsync(100));
  use(await type.callocAsync(10, 10));
  use(await type.alignedAllocAsync(64, 100));
  block = type.reallocAsync(block, 100); // refused
  use(await type.reallocAsync(block, 100));
}

export function buffers(): void {
  use(mbufs.tryGet()); // refused
  use(mbufs.tryGethdr()); // refused
  use(mbufs.tryGetcl()); // refused
  use(mbufs.tryGetjcl(4096)); // refused
  const packet = mbufs.tryGetcl();
  mbufs.append(packet, new Uint8Array(10)); // refused
  if (packet === 0) return;
  mbufs.append(packet, new Uint8Array(10));
  use(mbufs.reference(packet)); // refused
}

export function locks(): void {
  const token: UnlockToken = mutex.tryLock(); // refused
  token.unlock();
  mutex.tryLock()?.unlock();
  mutex.lock().unlock();
}
