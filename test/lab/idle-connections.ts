/**
 * Opens so many TCP connections to the API, says nothing on them, and holds them until its input ends. A program of its own, since it
 * has to run in the network of a machine: bun idle-connections.ts COUNT
 */

import { connect } from 'node:net';

const sockets = Array.from({ length: Number(process.argv[2]) }, () =>
  connect(7888, '127.0.0.1').on('error', () => undefined),
);
await Promise.all(
  sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))),
);
console.log('open');
for await (const _ of Bun.stdin.stream());
process.exit(0);
