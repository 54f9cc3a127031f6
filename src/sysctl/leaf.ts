/** How a leaf of the tree is declared: one call, with its name, its unit and a sentence. */

/** What a leaf may hold. */
export type SysctlValue = number | boolean | string;

/** What an integer counts; '' for what is a name or a number without unit. */
export type SysctlUnit =
  | ''
  | 'bytes'
  | 'items'
  | 'milliseconds'
  | 'pages'
  | 'percent'
  | 'seconds'
  | 'slabs'
  | 'threads'
  | 'times'
  | 'words'
  | 'zones';

/** All that does not depend on what hangs there: a leaf as a table knows it. */
interface LeafBase {
  /** Name below its branch, in parts that are separated by dots. */
  readonly name: string;
  readonly unit: SysctlUnit;
  /** One sentence. */
  readonly description: string;
  /** Range of an integer; null for other types. */
  readonly least: number | null;
  readonly most: number | null;
}

interface TypedLeaf<Type extends string, Value extends SysctlValue, Subject> extends LeafBase {
  readonly type: Type;
  readonly read: (subject: Subject) => Value;
  /** Is given a value of the type and in the range. Null: the leaf is for reading. */
  readonly write: ((subject: Subject, value: Value) => void) | null;
}

/** One figure or tunable of a `Subject`, such as a zone. */
export type Leaf<Subject = undefined> =
  | TypedLeaf<'integer', number, Subject>
  | TypedLeaf<'boolean', boolean, Subject>
  | TypedLeaf<'string', string, Subject>;

/** What an integer may be. A leaf for reading holds nothing else either: tests look whether it does. */
export interface IntegerRange<Subject> {
  /** Default 0. */
  readonly least?: number;
  /** Default 2^53 - 1. */
  readonly most?: number;
  readonly write?: (subject: Subject, value: number) => void;
}

/** A leaf that holds a whole number. */
export function integer<Subject = undefined>(
  name: string,
  unit: SysctlUnit,
  description: string,
  read: (subject: Subject) => number,
  { least = 0, most = Number.MAX_SAFE_INTEGER, write }: IntegerRange<Subject> = {},
): Leaf<Subject> {
  return { name, type: 'integer', unit, description, least, most, read, write: write ?? null };
}

/** A leaf that is true or false. */
export function flag<Subject = undefined>(
  name: string,
  description: string,
  read: (subject: Subject) => boolean,
  write: ((subject: Subject, value: boolean) => void) | null = null,
): Leaf<Subject> {
  return { name, type: 'boolean', unit: '', description, least: null, most: null, read, write };
}

/** A leaf that is a text. What may be written, `write` says itself, with BAD_ARGUMENT. */
export function text<Subject = undefined>(
  name: string,
  description: string,
  read: (subject: Subject) => string,
  write: ((subject: Subject, value: string) => void) | null = null,
): Leaf<Subject> {
  return { name, type: 'string', unit: '', description, least: null, most: null, read, write };
}
