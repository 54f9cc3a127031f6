/**
 * Where the data and the stack of a module end, read from its bytes: the memory has to be made before the
 * module can be asked. Reads no more of the binary format than leads to one exported constant.
 */

import { describeValue, MbumaError } from '../check/index.js';

const NAME = '__heap_base';

const HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

const Section = { IMPORT: 2, GLOBAL: 6, EXPORT: 7 } as const;
const Kind = { FUNCTION: 0, TABLE: 1, MEMORY: 2, GLOBAL: 3, TAG: 4 } as const;
const I32_CONST = 0x41;
const F32_CONST = 0x43;
const F64_CONST = 0x44;
/** Before the number of an instruction for vectors; that of a constant has 16 bytes behind it. */
const VECTOR = 0xfd;
const END = 0x0b;

const CUT = 'ends in the middle of a section';

function refuse(text: string): never {
  throw new MbumaError('BAD_ARGUMENT', `module ${text}`);
}

/** Reads one number, name or section after another. Throws where the bytes end too soon. */
class Reader {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  byte(): number {
    if (this.at >= this.end) refuse(CUT);
    return this.bytes[this.at++] as number;
  }

  /** Bits of a number in LEB128, low ones first, and how many there are. */
  private leb(): { bits: number; length: number } {
    let bits = 0;
    for (let length = 0; length < 35; length += 7) {
      const byte = this.byte();
      bits |= (byte & 0x7f) << length;
      if (byte < 0x80) return { bits, length: length + 7 };
    }
    return refuse('has a number that is too long');
  }

  unsigned(): number {
    return this.leb().bits >>> 0;
  }

  signed(): number {
    const { bits, length } = this.leb();
    return length < 32 ? (bits << (32 - length)) >> (32 - length) : bits;
  }

  /** The bytes of the next thing that has its length before it. */
  part(): Reader {
    const length = this.unsigned();
    const start = this.at;
    if (length > this.end - start) refuse(CUT);
    this.at = start + length;
    return new Reader(this.bytes, start, this.at);
  }

  name(): string {
    const { bytes, at, end } = this.part();
    // No longer name is looked for, and letters outside of ASCII may become any others.
    return String.fromCharCode(...bytes.subarray(at, Math.min(end, at + NAME.length + 1)));
  }
}

function skipLimits(reader: Reader): void {
  const flags = reader.byte();
  reader.unsigned();
  if ((flags & 1) !== 0) reader.unsigned();
}

/** Globals that the module imports: they come first in the numbering. */
function countImportedGlobals(reader: Reader): number {
  let globals = 0;
  for (let left = reader.unsigned(); left > 0; left--) {
    reader.part();
    reader.part();
    const kind = reader.byte();
    if (kind === Kind.FUNCTION) reader.unsigned();
    else if (kind === Kind.MEMORY) skipLimits(reader);
    else if (kind === Kind.TABLE) {
      reader.byte();
      skipLimits(reader);
    } else if (kind === Kind.GLOBAL) {
      reader.byte();
      reader.byte();
      globals++;
    } else if (kind === Kind.TAG) {
      reader.byte();
      reader.unsigned();
    } else refuse(`imports something of kind ${kind}`);
  }
  return globals;
}

/** Number of the exported global; -1: there is none. */
function findExport(reader: Reader): number {
  for (let left = reader.unsigned(); left > 0; left--) {
    const name = reader.name();
    const kind = reader.byte();
    const index = reader.unsigned();
    if (name === NAME && kind === Kind.GLOBAL) return index;
  }
  return -1;
}

/** Skips a constant that is not looked for: an opcode, then bytes or a number. */
function skipConstant(reader: Reader, opcode: number): void {
  const bytes = { [F32_CONST]: 4, [F64_CONST]: 8, [VECTOR]: 16 }[opcode] ?? 0;
  if (bytes === 0 || opcode === VECTOR) while (reader.byte() >= 0x80);
  for (let left = bytes; left > 0; left--) reader.byte();
}

/** Constant that a global of the module begins with. */
function readGlobal(reader: Reader, index: number): number {
  const count = reader.unsigned();
  for (let at = 0; at < count; at++) {
    reader.byte();
    reader.byte();
    const opcode = reader.byte();
    let value = -1;
    if (opcode === I32_CONST) value = reader.signed() >>> 0;
    else skipConstant(reader, opcode);
    if (reader.byte() !== END) break;
    if (at === index && value >= 0) return value;
  }
  return refuse(`has a ${NAME} that is not found to be a constant`);
}

/**
 * The value of `__heap_base` in a module for wasm32: for `createMemory({ wasm: { heapBase } })`. Link the
 * module with `-Wl,--export=__heap_base`.
 *
 * @param module its bytes, as they are in the file
 * @throws BAD_ARGUMENT for what is no module, or does not export the constant
 */
export function heapBaseOf(module: ArrayBuffer | ArrayBufferView): number {
  const bytes = bytesOf(module);
  if (HEADER.some((byte, index) => bytes[index] !== byte)) refuse('is not WebAssembly, version 1');
  const sections = new Map<number, Reader>();
  const reader = new Reader(bytes, HEADER.length, bytes.length);
  while (reader.at < reader.end) sections.set(reader.byte(), reader.part());
  const exported = sections.get(Section.EXPORT);
  const index = exported === undefined ? -1 : findExport(exported);
  if (index < 0) refuse(`does not export ${NAME}: link it with -Wl,--export=${NAME}`);
  const imports = sections.get(Section.IMPORT);
  const imported = imports === undefined ? 0 : countImportedGlobals(imports);
  const globals = sections.get(Section.GLOBAL);
  if (index < imported || globals === undefined) refuse(`has a ${NAME} that is not found to be a constant`);
  return readGlobal(globals, index - imported);
}

function bytesOf(module: unknown): Uint8Array {
  if (ArrayBuffer.isView(module)) return new Uint8Array(module.buffer, module.byteOffset, module.byteLength);
  // By what it is, not by its class: that of another realm is another one.
  if (Object.prototype.toString.call(module) === '[object ArrayBuffer]')
    return new Uint8Array(module as ArrayBuffer);
  return refuse(`must be an ArrayBuffer or a view of one, not ${describeValue(module)}`);
}
