;; The helper module: what a shared memory does faster from WebAssembly than through
;; JavaScript's own methods (bulk fill and copy, and the atomic operations).
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
)
