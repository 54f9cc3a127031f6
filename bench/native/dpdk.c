/*
 * DPDK's mempool and packet buffers, one lcore, no huge pages, a cache of 256 per lcore: dpdk SUITE SIZE.
 * The lcore may run on every CPU (the other peers are not pinned either).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "timing.h"
#include "loops.h"

#define POOL_ITEMS 16383
#define CACHE_ITEMS 256

static struct rte_mempool *pool;

static inline void *pool_alloc(void) {
  void *item;
  if (__builtin_expect(rte_mempool_get(pool, &item) != 0, 0)) abort();
  return item;
}

static inline void pool_free(void *item) { rte_mempool_put(pool, item); }

static inline void pool_alloc_many(void **items, unsigned count) {
  if (__builtin_expect(rte_mempool_get_bulk(pool, items, count) != 0, 0)) abort();
}

static inline void pool_free_many(void **items, unsigned count) { rte_mempool_put_bulk(pool, items, count); }

PAIR_LOOP(pool_pair, pool_alloc, pool_free)
BATCH_LOOP(pool_batch, pool_alloc, pool_free)
RANDOM_LOOP(pool_random, pool_alloc, pool_free)
BULK_LOOP(pool_bulk32, 32, pool_alloc_many, pool_free_many)
BULK_LOOP(pool_bulk1000, 1000, pool_alloc_many, pool_free_many)

/* What is touched of a packet is the first word of its data. */
static void packet_pair(uint64_t turns) {
  for (uint64_t turn = 0; turn < turns; turn++) {
    struct rte_mbuf *packet = rte_pktmbuf_alloc(pool);
    if (__builtin_expect(!packet, 0)) abort();
    TOUCH(rte_pktmbuf_mtod(packet, void *), turn);
    rte_pktmbuf_free(packet);
  }
}

static void packet_bulk32(uint64_t turns) {
  struct rte_mbuf **packets = (struct rte_mbuf **)bulk_items;
  for (uint64_t turn = 0; turn < turns; turn++) {
    if (__builtin_expect(rte_pktmbuf_alloc_bulk(pool, packets, 32) != 0, 0)) abort();
    for (int i = 0; i < 32; i++) TOUCH(rte_pktmbuf_mtod(packets[i], void *), i);
    rte_pktmbuf_free_bulk(packets, 32);
  }
}

static int start_dpdk(void) {
  char lcores[32];
  snprintf(lcores, sizeof lcores, "0@(0-%ld)", sysconf(_SC_NPROCESSORS_ONLN) - 1);
  char *arguments[] = {"dpdk",           "--no-huge",   "-m",       "256",  "--no-pci",
                       "--no-telemetry", "--no-shconf", "--lcores", lcores, "--log-level=3"};
  return rte_eal_init((int)(sizeof arguments / sizeof arguments[0]), arguments);
}

int main(int count, char **arguments) {
  if (count != 3) return fprintf(stderr, "usage: dpdk SUITE SIZE\n"), 2;
  const char *suite = arguments[1];
  unsigned item_bytes = (unsigned)atoi(arguments[2]);
  if (start_dpdk() < 0) return fprintf(stderr, "dpdk: no environment\n"), 1;
  int packets = !strncmp(suite, "packet", 6);
  pool = packets ? rte_pktmbuf_pool_create("packets", POOL_ITEMS, CACHE_ITEMS, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0)
                 : rte_mempool_create("items", POOL_ITEMS, item_bytes, CACHE_ITEMS, 0, 0, 0, 0, 0, 0, 0);
  if (!pool) return fprintf(stderr, "dpdk: no pool\n"), 1;
  if (!strcmp(suite, "a")) measure_loop(pool_pair, 1);
  else if (!strcmp(suite, "b")) measure_loop(pool_batch, BATCH);
  else if (!strcmp(suite, "c")) pool_random_fill(), measure_loop(pool_random, 1);
  else if (!strcmp(suite, "bulk32")) measure_loop(pool_bulk32, 32);
  else if (!strcmp(suite, "bulk1000")) measure_loop(pool_bulk1000, 1000);
  else if (!strcmp(suite, "packet")) measure_loop(packet_pair, 1);
  else if (!strcmp(suite, "packet32")) measure_loop(packet_bulk32, 32);
  else return fprintf(stderr, "dpdk: no suite %s\n", suite), 2;
  return 0;
}
