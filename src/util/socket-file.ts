/** Makes room for a unix socket: its file stays behind when a process is killed, and would keep the next one out. */

import { existsSync, lstatSync, unlinkSync } from 'node:fs';

/** Removes the file if nobody listens there. Says why it cannot, for the operator; undefined if the path is free now. */
export async function freeSocketPath(path: string): Promise<string | undefined> {
  if (!existsSync(path)) return undefined;
  if (!lstatSync(path).isSocket())
    return 'this file exists and is no socket; remove it, or name another path';
  if (await isAnswered(path)) return 'another program listens there already';
  try {
    unlinkSync(path);
  } catch (error) {
    return `the socket of a program that has ended is in the way: ${String(error)}`;
  }

  return undefined;
}

/** Whether somebody listens on a unix socket; false also if there is no such file. */
export async function isAnswered(path: string): Promise<boolean> {
  try {
    const socket = await Bun.connect({ unix: path, socket: { data() {} } });
    socket.end();

    return true;
  } catch {
    return false;
  }
}
