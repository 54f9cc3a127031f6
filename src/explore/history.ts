/**
 * Histories: what operations of several threads answered, and whether a sequential object could have
 * answered the same. The search is Wing and Gong's, with Lowe's memory of what was tried already.
 */

/** One call. */
export interface Operation {
  readonly thread: number;
  readonly name: string;
  readonly args: readonly unknown[];
  /** What it answered; undefined as long as it has not. */
  result: unknown;
  readonly invokedAt: number;
  /** Infinity for a call that was cut short: it may have happened, then or later, or not at all. */
  respondedAt: number;
}

/** What an object does when only one thread uses it. */
export interface Specification<State> {
  readonly init: State;
  /**
   * Never changes `state`. `result` is compared by its JSON; undefined stands for any.
   *
   * @param answer what the call answered, for objects that may answer one thing or another; undefined for a
   *   call that was cut short
   */
  apply(
    state: State,
    name: string,
    args: readonly unknown[],
    answer: unknown,
  ): { readonly state: State; readonly result: unknown };
  /** The same for equal states only. Default: the JSON. */
  hash?(state: State): string;
}

const OPERATIONS_MAX = 30;

/** Collects the operations of one run. */
export class History {
  readonly operations: Operation[] = [];
  private readonly current: (Operation | undefined)[] = [];
  private time = 0;

  begin(): void {
    this.operations.length = 0;
    this.current.length = 0;
    this.time = 0;
  }

  invoke(thread: number, name: string, args: readonly unknown[]): void {
    const operation: Operation = {
      thread,
      name,
      args,
      result: undefined,
      invokedAt: ++this.time,
      respondedAt: Number.POSITIVE_INFINITY,
    };
    this.operations.push(operation);
    this.current[thread] = operation;
  }

  respond(thread: number, result: unknown): void {
    const operation = this.current[thread];
    if (operation === undefined) return;
    operation.result = result;
    operation.respondedAt = ++this.time;
    this.current[thread] = undefined;
  }
}

/**
 * Whether the operations have an order that `specification` allows and that keeps to what was over before
 * what.
 */
export function isLinearizable<State>(
  operations: readonly Operation[],
  specification: Specification<State>,
): boolean {
  if (operations.length > OPERATIONS_MAX) {
    throw new RangeError(
      `a history of ${operations.length} operations is too long: ${OPERATIONS_MAX} at most`,
    );
  }
  const hash = specification.hash ?? ((state: State) => JSON.stringify(state));
  const tried = new Set<string>();
  let answered = 0;
  for (const [index, { respondedAt }] of operations.entries()) {
    if (respondedAt !== Number.POSITIVE_INFINITY) answered |= 1 << index;
  }

  function search(done: number, state: State): boolean {
    if ((done & answered) === answered) return true;
    const key = `${done} ${hash(state)}`;
    if (tried.has(key)) return false;
    tried.add(key);
    let firstEnd = Number.POSITIVE_INFINITY;
    for (const [index, { respondedAt }] of operations.entries()) {
      if ((done & (1 << index)) === 0 && respondedAt < firstEnd) firstEnd = respondedAt;
    }
    return operations.some((operation, index) => {
      if ((done & (1 << index)) !== 0 || operation.invokedAt > firstEnd) return false;
      const after = specification.apply(state, operation.name, operation.args, operation.result);
      const ended = operation.respondedAt !== Number.POSITIVE_INFINITY;
      if (ended && after.result !== undefined && !same(after.result, operation.result)) return false;
      return search(done | (1 << index), after.state);
    });
  }

  return search(0, specification.init);
}

function same(one: unknown, other: unknown): boolean {
  return Object.is(one, other) || JSON.stringify(one) === JSON.stringify(other);
}

/** One line for each operation. */
export function printHistory(operations: readonly Operation[]): string {
  const lines = operations.map(({ thread, name, args, result, invokedAt, respondedAt }) => {
    const call = `thread ${thread}: ${name}(${args.map((each) => JSON.stringify(each)).join(', ')})`;
    if (respondedAt === Number.POSITIVE_INFINITY) return `  ${invokedAt}-      ${call} was cut short`;
    return `  ${invokedAt}-${respondedAt}  ${call} = ${JSON.stringify(result)}`;
  });
  return lines.join('\n');
}
