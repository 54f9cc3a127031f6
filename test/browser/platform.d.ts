// All that the core may use beside the language itself: what windows, Workers and Node have alike, as far as
// it behaves alike there. `lib: dom` and Node's types are not loaded when the core is compiled with this, so
// whatever is not declared here is an error.

declare const performance: { now(): number };
declare function setTimeout(callback: (...values: never[]) => void, milliseconds?: number): number;
declare function clearTimeout(timer: number | undefined): void;

interface AbortSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}
