/** Makes simple SDP and reads addresses back: on purpose none of the product's own code, which is under test. */

export interface SdpOptions {
  readonly address: string;
  /** Port of the audio stream. */
  readonly port: number;
  /** `sendrecv` is said by saying nothing. */
  readonly mode?: 'sendonly' | 'recvonly' | 'inactive';
  /** Address of the c= line, if it is another than `address`; 0.0.0.0 is the old way to hold. */
  readonly connection?: string;
  /** Adds ICE credentials and a host candidate. */
  readonly ice?: boolean;
  readonly version?: number;
}

export function buildSdp(options: SdpOptions): string {
  const { address, port, mode, connection = address, ice = false, version = 1 } = options;
  const lines = [
    'v=0',
    `o=phone 4711 ${version} IN IP4 ${address}`,
    's=-',
    `c=IN IP4 ${connection}`,
    't=0 0',
    `m=audio ${port} RTP/AVP 8 101`,
    'a=rtpmap:8 PCMA/8000',
    'a=rtpmap:101 telephone-event/8000',
    'a=ptime:20',
    ...(mode === undefined ? [] : [`a=${mode}`]),
    ...(ice
      ? [
          'a=ice-ufrag:Qk8h',
          'a=ice-pwd:p6tM0cJtF1pVx8bQ2nW4yZ',
          `a=candidate:1 1 UDP 2130706431 ${address} ${port} typ host`,
          `a=candidate:1 2 UDP 2130706430 ${address} ${port + 1} typ host`,
        ]
      : []),
  ];

  return `${lines.join('\r\n')}\r\n`;
}

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface ReadStream extends Endpoint {
  readonly mode: string;
}

export interface ReadSdp {
  readonly origin: string;
  readonly streams: readonly ReadStream[];
  readonly candidates: readonly string[];
  /** Every address of every line that has one, in order. */
  readonly addresses: readonly string[];
}

/** Reads what a phone would look at. */
export function readSdp(sdp: string): ReadSdp {
  let session = '';
  let origin = '';
  const streams: { address: string; port: number; mode: string }[] = [];
  const candidates: string[] = [];
  const addresses: string[] = [];
  for (const line of sdp.split(/\r?\n/)) {
    const stream = streams.at(-1);
    const address = /IN IP[46] (\S+)/.exec(line)?.[1] ?? '';
    if (address !== '') addresses.push(address);
    if (line.startsWith('o=')) origin = address;
    if (line.startsWith('c=')) {
      if (stream === undefined) session = address;
      else stream.address = address;
    }
    if (line.startsWith('m=')) {
      streams.push({ address: session, port: Number(line.split(' ')[1]), mode: 'sendrecv' });
    }
    const mode = /^a=(sendonly|recvonly|inactive|sendrecv)$/.exec(line)?.[1];
    if (mode !== undefined && stream !== undefined) stream.mode = mode;
    if (line.startsWith('a=candidate:')) {
      const candidate = line.split(' ')[4] ?? '';
      candidates.push(candidate);
      addresses.push(candidate);
    }
  }

  return { origin, streams, candidates, addresses };
}

/** Where a phone sends its audio to. */
export function audioOf(sdp: string): ReadStream {
  const [stream] = readSdp(sdp).streams;
  if (stream === undefined) throw new Error(`no stream in this SDP:\n${sdp}`);

  return stream;
}
