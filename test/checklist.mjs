// What FreeBSD's UMA and NetBSD's pool(9) are known for, and are known to get wrong: one entry for each
// statement, as it holds here, with where it comes from and the tests that fail without it.
//
// A test is named by its file and its title; where the title is made of parts, by one of them.

import { hooksAndZones } from './checklist-hooks.mjs';
import { pools } from './checklist-pool.mjs';
import { limitsAndCaches } from './checklist-uma.mjs';

export const checklist = [...hooksAndZones, ...limitsAndCaches, ...pools];
