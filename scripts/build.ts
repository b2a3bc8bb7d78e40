/** Builds one file that needs neither Bun, nor Node, nor the sources: `dist/rtp-cluster`, or what `--outfile` names. */

import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildProgram, readSource } from './program.ts';

const { values } = parseArgs({ options: { outfile: { type: 'string' } } });
const outfile = resolve(values.outfile ?? join(import.meta.dir, '..', 'dist', 'rtp-cluster'));
if (!buildProgram({ outfile, source: readSource() })) process.exit(1);
console.log(`built ${relative(process.cwd(), outfile)}: ${(Bun.file(outfile).size / 1e6).toFixed(1)} MB`);
