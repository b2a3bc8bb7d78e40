/** Opens a database as another user, and prints what is said: `ok`, or the problem. */

import { DatabaseProblem, openDatabase } from '../../../src/store/open.ts';

const result = openDatabase({ path: process.argv[2] ?? '', synchronous: 'normal' });
process.stdout.write(result instanceof DatabaseProblem ? result.message : 'ok');
if (!(result instanceof DatabaseProblem)) result.close();
