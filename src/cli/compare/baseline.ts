/**
 * The program of the comparison of captures: it has a process of its own, so that its memory and its pauses
 * are its own.
 */

import { run } from './run.js';
import { serve } from './serve.js';

await serve(run);
