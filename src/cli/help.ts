import { DEFAULT_MEMORY, DEFAULT_TOP } from './options.js';

export const HELP: string = `mbuma: shared memory for JavaScript threads, managed like a BSD kernel's

usage: mbuma replay FILE... [options]

Reads captures (pcap, pcapng) from disk into clusters of one shared memory,
hands the packets over to workers, which parse and count them where they lie,
and tells what became of every item of the memory.

options:
  -w, --workers N     threads that parse (default: one less than processors, at most 4)
  -r, --repeat K      replay the files K times (default: 1)
  -m, --memory SIZE   size of the shared memory, such as 16M or 1G (default: ${DEFAULT_MEMORY})
  -t, --top N         conversations to print (default: ${DEFAULT_TOP})
      --compare       do the same job also with Buffers, Map and postMessage
      --json          print one JSON object and nothing else
  -h, --help          print this
  -V, --version       print the version

exit status: 0 done, 1 a file or the memory stands in the way, 2 usage, 130 interrupted
`;
