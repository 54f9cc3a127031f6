/** On a terminal one line that is written over; else one line for every hundred processes. */
export function startProgress() {
  const terminal = process.stderr.isTTY === true;
  const start = performance.now();
  let expected = 0;
  let begun = 0;

  function clear() {
    if (terminal) process.stderr.write('\r\x1b[K');
  }

  return {
    expect(processes) {
      expected = processes;
    },
    show(what) {
      begun++;
      const seconds = Math.round((performance.now() - start) / 1000);
      const line = `[${begun}/${expected}] ${seconds} s  ${what}`;
      if (terminal) process.stderr.write(`\r\x1b[K${line}`);
      else if (begun % 100 === 0) process.stderr.write(`bench: ${line}\n`);
    },
    say(text) {
      clear();
      process.stderr.write(`bench: ${text}\n`);
    },
    end: clear,
  };
}
