export * from './arguments.js';
export * from './dump.js';
export * from './errors.js';
export * from './failpoints.js';
export * from './levels.js';
export * from './poison.js';
export * from './reasons.js';
export * from './witness.js';
