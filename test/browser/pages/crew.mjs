// Workers as the window has them: `call(command, ...values)` is a promise of what the Worker answers.

export function startWorker(address) {
  const worker = new Worker(new URL(address, import.meta.url), { type: 'module' });
  const open = new Map();
  let calls = 0;
  worker.addEventListener('message', ({ data: { call, value, error } }) => {
    const { resolve, reject } = open.get(call);
    open.delete(call);
    if (error === undefined) resolve(value);
    else reject(Object.assign(new Error(error.stack), error));
  });
  for (const kind of ['error', 'messageerror']) {
    worker.addEventListener(kind, (event) => {
      event.preventDefault();
      const reason = new Error(`the worker failed: ${event.message ?? kind}`);
      if (open.size === 0) throw reason;
      for (const { reject } of open.values()) reject(reason);
      open.clear();
    });
  }
  return {
    call(command, ...values) {
      calls++;
      const call = calls;
      return new Promise((resolve, reject) => {
        open.set(call, { resolve, reject });
        worker.postMessage({ call, command, values });
      });
    },
    end: () => worker.terminate(),
  };
}
