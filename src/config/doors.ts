/** The part of the table of settings about the doors: where we are asked, and by whom. */

import { integer, list, text } from './kinds.ts';
import {
  type ListenAddress,
  readHostName,
  readListen,
  readNetworkText,
  readNgListenText,
  readOptionalPath,
  readSocketPath,
  showListen,
} from './readers.ts';

const same = (value: string): string => value;

export const DOORS = {
  http: {
    listen: text({
      key: 'http.listen',
      fallback: { host: '127.0.0.1', port: 7888 },
      allowed: 'address:port with an IP literal or localhost, as in 127.0.0.1:7888 or [::1]:7888',
      reason: 'Where the HTTP API is. Any address but loopback needs a token. Port 0 lets the system choose.',
      read: readListen,
      show: showListen,
    }),
    unix: text({
      key: 'http.unix',
      fallback: '',
      allowed: 'an absolute path of at most 107 bytes, or "" for none',
      reason:
        'A unix socket that serves the same API besides http.listen; its file mode says who may use it.',
      read: readSocketPath,
      show: same,
    }),
    hosts: list({
      key: 'http.hosts',
      reloads: true,
      fallback: [],
      item: 'a host name or IP address without port',
      maxItems: 64,
      reason:
        'Further names that may stand in the Host header; others are refused, so that no web page can reach the API through a name of its own.',
      read: readHostName,
    }),
    maxBody: integer({
      key: 'http.max_body',
      fallback: 65_536,
      unit: 'bytes',
      min: 1024,
      max: 1_048_576,
      reason:
        'Largest body of a media request. A relay takes no message above 64 KiB. Other requests may have 1 MiB.',
    }),
    tokenFile: text({
      key: 'http.token_file',
      reloads: true,
      fallback: '',
      allowed: 'the path of a file, or "" for none',
      reason:
        'File with the bearer tokens, one a line: "ROLE NAME TOKEN" with a role of call, read or admin, the name being for the audit; a token alone is an admin. At least 16 characters each; "#" begins a comment. If empty, the systemd credential "tokens", if there is one. RTP_CLUSTER_TOKEN adds an admin.',
      read: readOptionalPath,
      show: same,
    }),
  },
  https: {
    listen: text<ListenAddress | null>({
      key: 'https.listen',
      fallback: null,
      allowed: 'address:port with an IP literal or localhost, as in 0.0.0.0:7889, or "" for none',
      reason:
        'Where the same API is served with TLS, besides http.listen. Any address but loopback needs a token.',
      read: (value) => (value === '' ? null : readListen(value)),
      show: (place) => (place === null ? '' : showListen(place)),
    }),
    cert: text({
      key: 'https.cert',
      reloads: true,
      fallback: '',
      allowed: 'the path of a file, or "" for none',
      reason:
        'The certificate and those above it, PEM. A change of the file is taken without a restart, within 10 s.',
      read: readOptionalPath,
      show: same,
    }),
    key: text({
      key: 'https.key',
      reloads: true,
      fallback: '',
      allowed: 'the path of a file, or "" for none',
      reason: 'Its private key, PEM, without a password.',
      read: readOptionalPath,
      show: same,
    }),
  },
  ng: {
    listen: list({
      key: 'ng.listen',
      fallback: ['0 == udp:127.0.0.1:2223'],
      item: '"SET == udp:ADDRESS:PORT" with one IP address of this host, not all of them, as in "1 == udp:127.0.0.1:2224"; without "SET ==" it is set 0',
      maxItems: 64,
      reason:
        'Where the ng protocol of rtpengine is served, for the rtpengine modules of SIP proxies: a port for each set. An empty list for nowhere.',
      read: readNgListenText,
    }),
    clients: list({
      key: 'ng.clients',
      reloads: true,
      fallback: ['127.0.0.0/8', '::1/128'],
      item: 'a network such as 10.0.0.0/8 or 2001:db8::/32, or one address',
      maxItems: 1024,
      reason:
        'Who may ask by ng; datagrams of others are dropped. ng has no passwords, so any ng.listen but loopback needs this list.',
      read: readNetworkText,
    }),
  },
} as const;
