/**
 * The probe through a real network: a 1:1 NAT, which shows an address that the appliance itself cannot reach, and a packet filter that
 * takes the audio of a relay which goes on to answer. Takes about two minutes, as the probe has its own pace.
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { type Appliance, ensureBinary, settled, startAppliance } from '../lab/appliance.ts';
import { EDGE, inside, Netns, type Relay, relayNumber, translated, whyNoNamespaces } from '../lab/netns.ts';
import { poll, sweep } from '../lab/processes.ts';
import { callsOnRelay } from '../lab/relays.ts';
import { startRtpengine, whyNoRtpengine } from '../lab/rtpengine.ts';

const NG = 7890;
const PORTS = { portMin: 30_000, portMax: 30_999 };
/** Three, so that one of them may be left out. */
const USED = ['relay1', 'relay2', 'relay3'] as const satisfies readonly Relay[];
/** A first turn within a minute, the second 15 s later; and time to come back. */
const EJECTED_MS = 90_000;
const BACK_MS = 40_000;
/** Several checks, on a machine that has other things to do. */
const CHECKS_MS = 30_000;

interface Seen {
  readonly health: { readonly state: string; readonly cause: string };
  readonly probe: { readonly result: string; readonly loss_percent: number | null } | null;
}
interface Report {
  readonly result: string;
  readonly checks: readonly {
    check: string;
    side: string | null;
    result: string;
    detail: string;
    advice: string;
  }[];
}

const reason = whyNoRtpengine() ?? whyNoNamespaces();
const isDemanded = Bun.env.RTPC_REQUIRE_ALL === '1';
if (reason !== undefined) console.warn(`SKIP test/netns/probe: ${reason}`);

describe.skipIf(reason !== undefined && !isDemanded)('the probe through a network', () => {
  let net: Netns;
  let appliance: Appliance;

  beforeAll(async () => {
    if (reason !== undefined) throw new Error(reason);
    net = await Netns.up();
    await Promise.all(
      USED.map((relay) => {
        const address = inside(relayNumber(relay));

        return startRtpengine({ ngAddress: address, ngPort: NG, address, ...PORTS, place: net.place(relay) });
      }),
    );
    appliance = await startAppliance({
      binary: Bun.env.RTPC_BINARY ?? (await ensureBinary()),
      namespace: net.name('edge'),
    });
    for (const [id, relay] of USED.entries()) {
      await appliance.api('POST', '/v1/nodes', { id, ...described(relay) });
      await settled(appliance, id);
    }
  }, 60_000);
  afterAll(async () => {
    // Test calls under way are cut short.
    expect(await appliance?.stop()).toBe(0);
    await net?.down();
    sweep();
  });

  function described(relay: Relay) {
    const number = relayNumber(relay);

    return {
      socket: `udp:${inside(number)}:${NG}`,
      inner_media_ip: inside(number),
      out_media_ip: translated(number),
    };
  }

  const check = (path: string, body: unknown): Promise<Report> =>
    appliance.api('POST', path, body) as Promise<Report>;
  const seen = async (id: number): Promise<Seen> => (await appliance.api('GET', `/v1/nodes/${id}`)) as Seen;

  /** Takes all media packets that come to a relay, or gives them back. */
  function filter(relay: Relay, isOn: boolean): void {
    const rules = isOn
      ? `table ip probe {\n chain in {\n type filter hook input priority 0\n udp dport ${PORTS.portMin}-${PORTS.portMax} drop\n }\n}\n`
      : 'delete table ip probe';
    const { exitCode, stderr } = net.within(relay, () =>
      Bun.spawnSync(['nft', '-f', '-'], { stdin: Buffer.from(rules) }),
    );
    if (exitCode !== 0) throw new Error(`nft: ${stderr}`);
  }

  /** What a relay has, by its own word. */
  const callsOn = (relay: Relay): Promise<readonly string[]> =>
    callsOnRelay(`udp:${inside(relayNumber(relay))}:${NG}`, net.place(relay));

  test(
    'a public address behind a 1:1 NAT is shown right, and RTP passes by the host: good, and it says what alone proves the address',
    async () => {
      const { result, checks } = await check('/v1/nodes/0/check', {});
      expect(result).toBe('ok');
      const rest = checks.filter(({ result: each }) => each !== 'ok');
      expect(rest).toMatchObject([{ check: 'media', side: 'outer', result: 'skipped' }]);
      expect(rest[0]?.detail).toStartWith(
        `${translated(relayNumber('relay1'))} cannot be tried from this host`,
      );
      expect(
        checks.find(({ check: word, side }) => word === 'media' && side === 'inner>outer')?.detail,
      ).toEndWith(`; sent to ${inside(relayNumber('relay1'))}`);
      expect(checks.find(({ check: word, side }) => word === 'address' && side === 'outer')?.detail).toBe(
        `the SDP shows ${translated(relayNumber('relay1'))}`,
      );
      expect(await callsOn('relay1')).toEqual([]);
    },
    CHECKS_MS,
  );

  test(
    'addresses that can be reached from here are good, before the node is saved',
    async () => {
      const number = relayNumber('relay4');
      const relay = await startRtpengine({
        ngAddress: inside(number),
        ngPort: NG,
        address: inside(number),
        ...PORTS,
        place: net.place('relay4'),
      });
      const draft = { ...described('relay4'), out_media_ip: inside(number) };
      expect((await check('/v1/nodes/check', draft)).result).toBe('ok');
      // Mistakes: that of another host, that of another relay, both exchanged.
      for (const [mistake, result, detail] of [
        [
          { inner_media_ip: inside(EDGE) },
          'warning',
          `nothing came through by ${inside(EDGE)}, which the SDP`,
        ],
        [{ out_media_ip: inside(relayNumber('relay2')) }, 'failed', 'which is the host of node 1'],
        [{ out_media_ip: translated(relayNumber('relay2')) }, 'warning', 'which node 1 has as well'],
        [{ inner_media_ip: translated(number) }, 'warning', 'a public address, and side outer is shown'],
      ] as const) {
        const wrong = await check('/v1/nodes/check', { ...draft, ...mistake });
        expect(wrong.result).toBe(result);
        const told = wrong.checks.find(
          ({ check: word, result: each }) => word === 'media' && each === result,
        );
        expect(told?.detail).toContain(detail);
      }
      await relay.stop();
    },
    CHECKS_MS,
  );

  test(
    'ports that are blocked fail the check, with what to do',
    async () => {
      filter('relay2', true);
      const { result, checks } = await check('/v1/nodes/1/check', {});
      filter('relay2', false);
      expect(result).toBe('failed');
      const media = checks.find(({ check: word }) => word === 'media');
      expect(media?.detail).toBe(
        'inner to outer no packet came through; outer to inner no packet came through',
      );
      expect(media?.advice).toContain('Let the media ports of the relay');
      expect(checks.filter(({ result: each }) => each === 'failed')).toHaveLength(1);
    },
    CHECKS_MS,
  );

  test(
    'a relay whose audio is taken is ejected though it answers, and comes back when it has audio again',
    async () => {
      filter('relay1', true);
      await appliance.api('PUT', '/v1/sets/0', { media_probe: true });
      await poll(
        async () => ((await seen(0)).health.state === 'ejected' ? true : undefined),
        () => 'relay1 is not ejected',
        EJECTED_MS,
      );
      expect(await seen(0)).toMatchObject({
        health: {
          cause:
            '2 test calls in a row without audio: inner to outer no packet came through; outer to inner no packet came through',
        },
        probe: { result: 'failed', loss_percent: 100 },
      });
      // The others carry audio, and stay.
      for (const id of [1, 2]) {
        await poll(
          async () => (await seen(id)).probe ?? undefined,
          () => `no test call went to node ${id}`,
          EJECTED_MS,
        );
        expect(await seen(id)).toMatchObject({ health: { state: 'up' }, probe: { result: 'ok' } });
      }
      filter('relay1', false);
      await poll(
        async () => ((await seen(0)).health.state === 'up' ? true : undefined),
        () => 'relay1 does not come back',
        BACK_MS,
      );
      expect((await seen(0)).probe).toMatchObject({ result: 'ok' });
      for (const relay of USED) expect(await callsOn(relay)).toEqual([]);
    },
    EJECTED_MS + BACK_MS + 30_000,
  );
});
