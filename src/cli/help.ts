import { DEFAULT_MEMORY, DEFAULT_TOP } from './options.js';

export const HELP: string = `mbuma: shared memory for JavaScript threads, managed like a BSD kernel's

usage: mbuma replay FILE... [options]
       mbuma sysctl [options] [NAME | NAME=VALUE]...

replay reads captures (pcap, pcapng) from disk into clusters of one shared memory,
hands the packets over to workers, which parse and count them where they lie,
and tells what became of every item of the memory.
Of allocation traces (*.trace) it does every allocation, on threads of its own, fills
the blocks and looks at them when they are freed, and tells what that took of the memory.

options of replay:
  -w, --workers N     threads that parse (default: one less than processors, at most 4),
                      or allocate (default: as in the trace, at most one for a processor)
  -r, --repeat K      replay the files K times (default: 1)
  -m, --memory SIZE   size of the shared memory, such as 16M or 1G (default: ${DEFAULT_MEMORY})
  -t, --top N         conversations to print (default: ${DEFAULT_TOP})
      --set NAME=VALUE  set a tunable of the memory first, such as kern.ipc.nmbclusters=1000
      --sysctl NAME   print what is called so, or all that is below it; all: everything
      --compare       do the same job also with Buffers, Map and postMessage; of a trace
                      with @thi.ng/malloc, if it is installed, and with Buffer.allocUnsafe
      --no-fill       of a trace: do not touch the blocks, to time the allocator alone
      --json          print one JSON object and nothing else
  -h, --help          print this
  -V, --version       print the version

sysctl prints tunables and figures of a fresh memory with its network buffers:
what is called so or lies below, everything without a name; NAME=VALUE sets one.

options of sysctl, which stand behind it:
  -d, --description   print what each is, and not its value
  -t, --type          print type, unit and range, and whether it can be written
  -N, --name          print names only
  -n, --value         print values only
  -W, --writable      only what can be written
  -m, --memory SIZE   size of the memory (default: ${DEFAULT_MEMORY})
      --json          print one JSON object with all that is told of each

exit status: 0 done, 1 a file or the memory stands in the way, 2 usage, 130 interrupted
`;
