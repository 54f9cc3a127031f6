// See README.md.

export { type Branch, branch, family } from './branch.js';
export { flag, integer, type Leaf, type SysctlUnit, type SysctlValue, text } from './leaf.js';
export { keyed } from './names.js';
export { createTree, type SysctlLeaf, type SysctlTree } from './tree.js';
