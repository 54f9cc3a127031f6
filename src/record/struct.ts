/**
 * How a shared record is declared, once.
 *
 *   export const Slab = struct('slab', {
 *     freeCount: u32('K', 'Items still free.'),
 *     keg:       ref('keg', 'const', 'Keg that owns this slab.'),
 *   }, { words: 2 });
 *
 *   const { freeCount: FREE_COUNT } = Slab;      // inside a create...() factory
 *   words[slab + FREE_COUNT] -= 1;
 *
 * The declaration gives word offsets and nothing else: no accessors, no views, no cost. Each field
 * has whole words of its own (one word, one guard, one width), a guard letter that says who may touch
 * it, and a sentence. The size is asserted, so that a record grows only on purpose. A registry of all
 * records serves the printer, the docs and the hash by which two builds recognise each other.
 */

/** What is stored in a field. */
export type FieldKind = 'u32' | 'i32' | 'ref' | 'addr' | 'f64' | 'text' | 'array';

/** One field, as declared: kind, width, guard and meaning. */
export interface Field {
  readonly kind: FieldKind;
  /** Width in 32-bit words. */
  readonly words: number;
  /** Who may touch it: `const`, `T`, `K`, `Z`, `A`, `B`, or a letter of the layer's own legend. */
  readonly guard: string;
  readonly doc: string;
  /** The record kind that a `ref` names. */
  readonly target?: string;
}

/** A field with its place. */
export interface PlacedField extends Field {
  readonly name: string;
  /** Offset in words from the start of the record. */
  readonly offset: number;
}

/** What the registry knows of a record. */
export interface RecordLayout {
  readonly name: string;
  readonly words: number;
  readonly fields: readonly PlacedField[];
}

/** Word offsets by field name. */
export type Struct<Fields> = { readonly [Name in keyof Fields]: number };

const registry = new Map<string, RecordLayout>();
const layouts = new WeakMap<object, RecordLayout>();

function field(kind: FieldKind, words: number, guard: string, doc: string, target?: string): Field {
  return target === undefined ? { kind, words, guard, doc } : { kind, words, guard, doc, target };
}

/** An unsigned 32-bit integer (stored as int32: values from 2^31 up read negative). */
export function u32(guard: string, doc: string): Field {
  return field('u32', 1, guard, doc);
}

/** A signed 32-bit integer. */
export function i32(guard: string, doc: string): Field {
  return field('i32', 1, guard, doc);
}

/** The word index of another record; 0 is null. */
export function ref(target: string, guard: string, doc: string): Field {
  return field('ref', 1, guard, doc, target);
}

/** A byte address of payload; 0 is null. */
export function addr(guard: string, doc: string): Field {
  return field('addr', 1, guard, doc);
}

/** A 64-bit float over two words, always read and written as one: exact counts up to 2^53. */
export function f64(guard: string, doc: string): Field {
  return field('f64', 2, guard, doc);
}

/** Printable ASCII, `words * 4` bytes, padded with zero bytes. */
export function text(words: number, guard: string, doc: string): Field {
  return field('text', words, guard, doc);
}

/** `words` words of the same meaning; the offset names the first. */
export function array(words: number, guard: string, doc: string): Field {
  return field('array', words, guard, doc);
}

/**
 * Declares a record.
 *
 * @param name   singular noun, unique among the records of one realm
 * @param fields in the order of memory, hot line first
 * @param options `words`: the size that the fields must add up to
 * @returns word offsets by field name
 * @throws Error when the sizes disagree, a field has no words, an `f64` is not at an even offset, a field
 *   has no guard or sentence, or the name is taken by a record of another layout
 */
export function struct<const Fields extends Record<string, Field>>(
  name: string,
  fields: Fields,
  options: { readonly words: number },
): Struct<Fields> {
  if (typeof name !== 'string' || typeof fields !== 'object' || fields === null)
    throw new Error('a record is declared by a name and its fields');
  const placed: PlacedField[] = [];
  const offsets: Record<string, number> = {};
  let offset = 0;
  for (const [fieldName, declared] of Object.entries(fields)) {
    if (!Number.isSafeInteger(declared?.words) || declared.words < 1) {
      throw new Error(`record ${name}: ${fieldName} takes ${String(declared?.words)} words`);
    }
    if (declared.kind === 'f64' && offset % 2 !== 0) {
      throw new Error(`record ${name}: ${fieldName} is a 64-bit field at the odd word ${offset}`);
    }
    if (declared.guard === '' || declared.doc === '') {
      throw new Error(`record ${name}: ${fieldName} has no guard or no sentence`);
    }
    placed.push({ ...declared, name: fieldName, offset });
    offsets[fieldName] = offset;
    offset += declared.words;
  }
  if (offset !== options?.words) {
    throw new Error(`record ${name}: fields take ${offset} words, declared are ${String(options?.words)}`);
  }
  const layout: RecordLayout = { name, words: options.words, fields: placed };
  const known = registry.get(name);
  if (known !== undefined && describeLayout(known) !== describeLayout(layout)) {
    throw new Error(`record ${name} is declared twice, with different layouts`);
  }
  registry.set(name, layout);
  const result = Object.freeze(offsets) as Struct<Fields>;
  layouts.set(result, layout);
  return result;
}

/** Whether it was made by `struct`. */
export function isStruct(declared: unknown): boolean {
  return typeof declared === 'object' && declared !== null && layouts.has(declared);
}

/** The layout behind a declared record: for printers, docs and audits. */
export function layoutOf(declared: object): RecordLayout {
  const layout = layouts.get(declared);
  if (layout === undefined) throw new Error('not a record made by struct()');
  return layout;
}

/** Every record declared so far in this realm, in order of declaration. */
export function allLayouts(): readonly RecordLayout[] {
  return [...registry.values()];
}

/** One line that two layouts share exactly when they agree in memory. */
export function describeLayout(layout: RecordLayout): string {
  const fields = layout.fields.map((each) => `${each.name}:${each.kind}@${each.offset}+${each.words}`);
  return `${layout.name}[${layout.words}]{${fields.join(',')}}`;
}

/** 32-bit FNV-1a hash over the layouts of `records`, never 0. */
export function layoutHash(records: readonly object[]): number {
  let hash = 0x811c9dc5;
  for (const record of records) {
    for (const character of describeLayout(layoutOf(record))) {
      hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
    }
  }
  return hash === 0 ? 1 : hash | 0;
}
