export * from './bits.js';
export * from './print.js';
export * from './ref.js';
export * from './sound.js';
export * from './struct.js';
