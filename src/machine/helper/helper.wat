;; The helper module: what a shared memory does faster from WebAssembly than through
;; JavaScript's own methods (bulk fill and copy, and the atomic operations), and the two loops that
;; move items between a bucket and an array that lies in the memory itself.
;;
;; Rules of this file:
;;   - every address is a byte address, an unsigned i32, into the one imported memory;
;;   - an address outside the memory, or a word address not divisible by 4, traps, and JavaScript sees a
;;     WebAssembly.RuntimeError; a fill or copy that does not fit traps before its first byte;
;;   - the operations that change a word give back what the word held before;
;;   - nothing here waits: waiting stays with Atomics.wait, which the notify below wakes.
;;
;; scripts/helper.mjs assembles this file into helper.generated.ts before TypeScript is compiled.

(module
  ;; Limits wide enough for any shared memory: it must have at least 1 page and may declare at most 65536.
  (import "env" "memory" (memory 1 65536 shared))

  (func (export "fill") (param $address i32) (param $byteValue i32) (param $length i32)
    (memory.fill (local.get $address) (local.get $byteValue) (local.get $length)))

  ;; Target and source may overlap.
  (func (export "copy") (param $target i32) (param $source i32) (param $length i32)
    (memory.copy (local.get $target) (local.get $source) (local.get $length)))

  (func (export "load") (param $byteAddress i32) (result i32)
    (i32.atomic.load (local.get $byteAddress)))

  (func (export "store") (param $byteAddress i32) (param $value i32)
    (i32.atomic.store (local.get $byteAddress) (local.get $value)))

  (func (export "add") (param $byteAddress i32) (param $value i32) (result i32)
    (i32.atomic.rmw.add (local.get $byteAddress) (local.get $value)))

  (func (export "exchange") (param $byteAddress i32) (param $value i32) (result i32)
    (i32.atomic.rmw.xchg (local.get $byteAddress) (local.get $value)))

  (func (export "compareExchange")
    (param $byteAddress i32) (param $expected i32) (param $replacement i32) (result i32)
    (i32.atomic.rmw.cmpxchg (local.get $byteAddress) (local.get $expected) (local.get $replacement)))

  ;; Wakes at most $count threads that wait on the word and says how many; a count of -1 wakes all.
  (func (export "notify") (param $byteAddress i32) (param $count i32) (result i32)
    (memory.atomic.notify (local.get $byteAddress) (local.get $count)))

  ;; Where the two maps over the memory lie, the first address behind the memory, and this thread's owner byte.
  (global $owners (mut i32) (i32.const 0))
  (global $pageKegs (mut i32) (i32.const 0))
  (global $limit (mut i32) (i32.const 0))
  (global $owner (mut i32) (i32.const 0))

  ;; Says them, once, before the two functions below are called.
  (func (export "setMaps") (param $owners i32) (param $pageKegs i32) (param $limit i32) (param $owner i32)
    (global.set $owners (local.get $owners))
    (global.set $pageKegs (local.get $pageKegs))
    (global.set $limit (local.get $limit))
    (global.set $owner (local.get $owner)))

  ;; Takes $count items out of the slots from $slot on into the words from $out on. Each item gets its
  ;; owner byte first, and its slot is cleared last, so that a death in between loses none.
  (func (export "takeItems")
    (param $slot i32) (param $count i32) (param $out i32)
    (local $owners i32) (local $owner i32) (local $end i32) (local $items v128) (local $item i32)
    (local.set $owners (global.get $owners))
    (local.set $owner (global.get $owner))
    (local.set $end
      (i32.add (local.get $slot) (i32.shl (i32.and (local.get $count) (i32.const -4)) (i32.const 2))))
    (block $doneFours
      (loop $four
        (br_if $doneFours (i32.ge_u (local.get $slot) (local.get $end)))
        (local.set $items (v128.load (local.get $slot)))
        (i32.store8
          (i32.add (local.get $owners) (i32.shr_u (i32.load offset=0 (local.get $slot)) (i32.const 4)))
          (local.get $owner))
        (i32.store8
          (i32.add (local.get $owners) (i32.shr_u (i32.load offset=4 (local.get $slot)) (i32.const 4)))
          (local.get $owner))
        (i32.store8
          (i32.add (local.get $owners) (i32.shr_u (i32.load offset=8 (local.get $slot)) (i32.const 4)))
          (local.get $owner))
        (i32.store8
          (i32.add (local.get $owners) (i32.shr_u (i32.load offset=12 (local.get $slot)) (i32.const 4)))
          (local.get $owner))
        (v128.store (local.get $out) (local.get $items))
        (v128.store (local.get $slot) (v128.const i32x4 0 0 0 0))
        (local.set $slot (i32.add (local.get $slot) (i32.const 16)))
        (local.set $out (i32.add (local.get $out) (i32.const 16)))
        (br $four)))
    (local.set $end
      (i32.add (local.get $slot) (i32.shl (i32.and (local.get $count) (i32.const 3)) (i32.const 2))))
    (block $done
      (loop $one
        (br_if $done (i32.ge_u (local.get $slot) (local.get $end)))
        (local.set $item (i32.load (local.get $slot)))
        (i32.store8
          (i32.add (local.get $owners) (i32.shr_u (local.get $item) (i32.const 4)))
          (local.get $owner))
        (i32.store (local.get $out) (local.get $item))
        (i32.store (local.get $slot) (i32.const 0))
        (local.set $slot (i32.add (local.get $slot) (i32.const 4)))
        (local.set $out (i32.add (local.get $out) (i32.const 4)))
        (br $one))))

  ;; Clears $count slots that were filled too early.
  (func $dropSlots (param $slot i32) (param $count i32)
    (memory.fill (local.get $slot) (i32.const 0) (i32.shl (local.get $count) (i32.const 2))))

  ;; Puts up to $count items from the words from $items on into the slots from $slot on, and clears their
  ;; owner bytes. Stops before the first that is not below $limit, not a multiple of 16, not on a page of
  ;; $keg, or not owned (which finds an item that stands there twice). Says how many it took.
  (func (export "giveItems")
    (param $items i32) (param $count i32) (param $slot i32) (param $keg i32) (result i32)
    (local $owners i32) (local $pageKegs i32) (local $limit i32)
    (local $end i32) (local $item i32) (local $granule i32) (local $start i32)
    (local $four v128) (local $pages v128) (local $page i32) (local $endFours i32)
    (local.set $owners (global.get $owners))
    (local.set $pageKegs (global.get $pageKegs))
    (local.set $limit (global.get $limit))
    (local.set $start (local.get $items))
    (local.set $end (i32.add (local.get $items) (i32.shl (local.get $count) (i32.const 2))))
    (local.set $endFours (i32.sub (local.get $end) (i32.const 12)))
    ;; Four at a time, as long as nothing is odd about any of them; what is odd is left to the loop below.
    (block $odd
      (loop $fours
        (br_if $odd (i32.ge_s (local.get $items) (local.get $endFours)))
        (local.set $four (v128.load (local.get $items)))
        ;; Multiples of 16 below the limit.
        (br_if $odd
          (v128.any_true
            (v128.or
              (v128.and (local.get $four) (v128.const i32x4 15 15 15 15))
              (i32x4.ge_u (local.get $four) (i32x4.splat (local.get $limit))))))
        ;; Items that come together mostly lie on one page: one look at its keg does for the four.
        (local.set $pages (i32x4.shr_u (local.get $four) (i32.const 12)))
        (local.set $page (i32x4.extract_lane 0 (local.get $pages)))
        (br_if $odd
          (i32.ne
            (local.get $keg)
            (i32.load16_u (i32.add (local.get $pageKegs) (i32.shl (local.get $page) (i32.const 1))))))
        (if
          (i32.eqz (i32x4.all_true (i32x4.eq (local.get $pages) (i32x4.splat (local.get $page)))))
          (then
            (br_if $odd
              (i32.or
                (i32.or
                  (i32.xor (local.get $keg) (i32.load16_u
                      (i32.add
                        (local.get $pageKegs)
                        (i32.shl
                          (i32.shr_u (i32.load offset=0 (local.get $items)) (i32.const 12))
                          (i32.const 1)))))
                  (i32.xor (local.get $keg) (i32.load16_u
                      (i32.add
                        (local.get $pageKegs)
                        (i32.shl
                          (i32.shr_u (i32.load offset=4 (local.get $items)) (i32.const 12))
                          (i32.const 1))))))
                (i32.or
                  (i32.xor (local.get $keg) (i32.load16_u
                      (i32.add
                        (local.get $pageKegs)
                        (i32.shl
                          (i32.shr_u (i32.load offset=8 (local.get $items)) (i32.const 12))
                          (i32.const 1)))))
                  (i32.xor (local.get $keg) (i32.load16_u
                      (i32.add
                        (local.get $pageKegs)
                        (i32.shl
                          (i32.shr_u (i32.load offset=12 (local.get $items)) (i32.const 12))
                          (i32.const 1))))))))))
        (v128.store (local.get $slot) (local.get $four))
        ;; Each owner byte is looked at and cleared before the next: so an item that comes twice is found.
        (block $free3 (block $free2 (block $free1 (block $free0
          (local.set $granule
            (i32.add (local.get $owners) (i32.shr_u (i32.load offset=0 (local.get $items)) (i32.const 4))))
          (br_if $free0 (i32.eqz (i32.load8_u (local.get $granule))))
          (i32.store8 (local.get $granule) (i32.const 0))
          (local.set $granule
            (i32.add (local.get $owners) (i32.shr_u (i32.load offset=4 (local.get $items)) (i32.const 4))))
          (br_if $free1 (i32.eqz (i32.load8_u (local.get $granule))))
          (i32.store8 (local.get $granule) (i32.const 0))
          (local.set $granule
            (i32.add (local.get $owners) (i32.shr_u (i32.load offset=8 (local.get $items)) (i32.const 4))))
          (br_if $free2 (i32.eqz (i32.load8_u (local.get $granule))))
          (i32.store8 (local.get $granule) (i32.const 0))
          (local.set $granule
            (i32.add (local.get $owners) (i32.shr_u (i32.load offset=12 (local.get $items)) (i32.const 4))))
          (br_if $free3 (i32.eqz (i32.load8_u (local.get $granule))))
          (i32.store8 (local.get $granule) (i32.const 0))
          (local.set $items (i32.add (local.get $items) (i32.const 16)))
          (local.set $slot (i32.add (local.get $slot) (i32.const 16)))
          (br $fours))
          (call $dropSlots (local.get $slot) (i32.const 4))
          (br $odd))
          (call $dropSlots (i32.add (local.get $slot) (i32.const 4)) (i32.const 3))
          (local.set $items (i32.add (local.get $items) (i32.const 4)))
          (br $odd))
          (call $dropSlots (i32.add (local.get $slot) (i32.const 8)) (i32.const 2))
          (local.set $items (i32.add (local.get $items) (i32.const 8)))
          (br $odd))
        (call $dropSlots (i32.add (local.get $slot) (i32.const 12)) (i32.const 1))
        (local.set $items (i32.add (local.get $items) (i32.const 12)))))
    (block $done
      (loop $one
        (br_if $done (i32.ge_u (local.get $items) (local.get $end)))
        (local.set $item (i32.load (local.get $items)))
        (br_if $done (i32.ge_u (local.get $item) (local.get $limit)))
        (br_if $done (i32.and (local.get $item) (i32.const 15)))
        (br_if $done
          (i32.ne
            (local.get $keg)
            (i32.load16_u
              (i32.add
                (local.get $pageKegs)
                (i32.shl (i32.shr_u (local.get $item) (i32.const 12)) (i32.const 1))))))
        (local.set $granule
          (i32.add (local.get $owners) (i32.shr_u (local.get $item) (i32.const 4))))
        (br_if $done (i32.eqz (i32.load8_u (local.get $granule))))
        (i32.store (local.get $slot) (local.get $item))
        (i32.store8 (local.get $granule) (i32.const 0))
        (local.set $items (i32.add (local.get $items) (i32.const 4)))
        (local.set $slot (i32.add (local.get $slot) (i32.const 4)))
        (br $one)))
    (i32.shr_u (i32.sub (local.get $items) (local.get $start)) (i32.const 2)))

  ;; Changes owner bytes that are `slot` to `heir`, atomically, every `step` bytes from `from` to below `to`;
  ;; writes the item of each that it has changed to `out`. Items lie 16 * step bytes apart, from `item` on.
  (func (export "inherit")
    (param $from i32) (param $to i32) (param $step i32) (param $slot i32) (param $heir i32)
    (param $item i32) (param $out i32) (result i32)
    (local $start i32)
    (local.set $start (local.get $out))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $from) (local.get $to)))
        (if (i32.eq (i32.load8_u (local.get $from)) (local.get $slot))
          (then
            (if (i32.eq
                  (i32.atomic.rmw8.cmpxchg_u (local.get $from) (local.get $slot) (local.get $heir))
                  (local.get $slot))
              (then
                (i32.store (local.get $out) (local.get $item))
                (local.set $out (i32.add (local.get $out) (i32.const 4)))))))
        (local.set $from (i32.add (local.get $from) (local.get $step)))
        (local.set $item (i32.add (local.get $item) (i32.shl (local.get $step) (i32.const 4))))
        (br $next)))
    (i32.shr_u (i32.sub (local.get $out) (local.get $start)) (i32.const 2)))
)
