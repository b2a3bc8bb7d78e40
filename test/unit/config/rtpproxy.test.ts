import { describe, expect, test } from 'bun:test';
import { BadSettings, loadSettings } from '../../../src/config/load.ts';
import { formatProblem } from '../../../src/config/sources.ts';

function load(socket: string, listen?: string) {
  const settings = loadSettings({
    argv: [],
    env: {
      RTP_CLUSTER_RTPPROXY_NOTICE_SOCKET: socket,
      ...(listen === undefined ? {} : { RTP_CLUSTER_RTPPROXY_NOTICE_LISTEN: listen }),
    },
    readText: () => {
      throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
    },
  });

  return settings instanceof BadSettings ? settings.problems.map(formatProblem) : settings.rtpproxy;
}

describe('notices of rtpproxy', () => {
  test.each([
    ['tcp:192.0.2.1:7890', { host: '192.0.2.1', port: 7890 }],
    ['tcp:localhost:7890', { host: 'localhost', port: 7890 }],
    ['unix:/run/rtp-cluster/notices.sock', { path: '/run/rtp-cluster/notices.sock' }],
    ['tcp:%%CC_SELF%%:7890', { host: '0.0.0.0', port: 7890 }],
  ])('sent to %s are listened for there, and the daemons are told the same words', (socket, noticeListen) => {
    expect(load(socket)).toEqual({ noticeSocket: socket, noticeListen });
  });

  test.each([
    ['tcp:10.0.0.5:17890', { host: '10.0.0.5', port: 17890 }],
    ['tcp:[2001:db8::5]:17890', { host: '2001:db8::5', port: 17890 }],
    ['unix:/run/notices.sock', { path: '/run/notices.sock' }],
  ])('are listened for at %s where that is said', (listen, noticeListen) => {
    const noticeSocket = 'tcp:192.0.2.1:7890';
    expect(load(noticeSocket, listen)).toEqual({ noticeSocket, noticeListen });
  });

  test.each([
    '192.0.2.1:7890',
    'tcp:192.0.2.1',
    'tcp:192.0.2.1:0',
    'tcp:192.0.2.1:65536',
    'tcp:relay.example:7890',
    // The daemon does not start with these.
    'tcp:[::1]:7890',
    'tcp6:[::1]:7890',
    'udp:192.0.2.1:7890',
    'unix:run/notices.sock',
    `unix:/${'x'.repeat(107)}`,
    // Two words of a command.
    'unix:/run/a b',
    'unix:/run/a\nX',
    'unix:',
    '/run/notices.sock',
    'TCP:192.0.2.1:7890',
  ])('cannot be sent to %p', (socket) => {
    expect(load(socket)).toEqual([
      expect.stringMatching(/rtpproxy.notice_socket: is ".*allowed is tcp:IPV4:PORT/s),
    ]);
  });

  test('cannot be listened for at the host a command came from: that is this one', () => {
    expect(load('tcp:%%CC_SELF%%:7890', 'tcp:%%CC_SELF%%:7890')).toEqual([
      expect.stringContaining('allowed is tcp:ADDRESS:PORT'),
    ]);
  });

  test('a place to listen is nothing without daemons that send something', () => {
    expect(load('', 'tcp:10.0.0.5:7890')).toEqual([
      'RTP_CLUSTER_RTPPROXY_NOTICE_LISTEN: rtpproxy.notice_listen: is given, but rtpproxy.notice_socket is not: no rtpproxy would send anything there',
    ]);
  });

  test('of two wrong settings the first is not blamed twice', () => {
    expect(load('nonsense', 'tcp:10.0.0.5:7890')).toHaveLength(1);
  });
});
