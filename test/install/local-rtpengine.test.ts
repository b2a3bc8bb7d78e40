/** One host with everything: `install.sh --with-local-rtpengine` on a bare Debian, and a call through it, with audio. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { Installed, whyNoInstall } from '../lab/installed.ts';
import { OUTER } from '../lab/nspawn-slot.ts';
import { converse, Phone } from '../lab/phone.ts';
import { sweep } from '../lab/processes.ts';
import { audioOf, buildSdp } from '../lab/sdp.ts';
import { complaintsOf } from '../lab/traffic.ts';

const reason = whyNoInstall();
/** Packets each way: half a second. */
const PACKETS = 25;

describe.skipIf(reason !== undefined)(
  `a local rtpengine${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  () => {
    let here: Installed;

    beforeAll(async () => {
      here = await Installed.unpacked();
    });
    afterAll(async () => {
      await here?.stop();
      sweep();
    });

    /** Makes a call between two phones on this host; returns what each heard of the other. */
    async function talk(call: string): Promise<readonly number[]> {
      const side = (name: string, partner: string): Promise<Phone> =>
        Phone.open({ call, side: name, partner, address: OUTER, open: here.machine.place.open });
      const [caller, callee] = [await side('caller', 'callee'), await side('callee', 'caller')];
      const ask = async (what: string, body: object): Promise<string> => {
        const { sdp } = (await here.api('POST', `/v1/media/${what}`, {
          'call-id': call,
          'from-tag': 'f',
          ...body,
        })) as {
          sdp: string;
        };

        return sdp;
      };
      callee.pointAt(audioOf(await ask('offer', { direction: 'out', sdp: buildSdp(caller.local) })));
      caller.pointAt(audioOf(await ask('answer', { 'to-tag': 't', sdp: buildSdp(callee.local) })));
      await converse(caller, callee, PACKETS);
      await here.api('POST', '/v1/media/delete', { 'call-id': call });
      for (const phone of [caller, callee]) phone.close();

      return [caller.heard.partner, callee.heard.partner];
    }

    test('is installed, set up, added as a node, and up', async () => {
      const { code, text } = await here.install('--with-local-rtpengine');
      expect(text).toContain('installing the package rtpengine-daemon');
      expect(code).toBe(0);
      await here.nodeUp((await nodeIds(here))[0] ?? -1);
    }, 120_000);

    test('carries audio both ways', async () => {
      expect(await talk('audio@local')).toEqual([PACKETS, PACKETS]);
    });

    test('serves proxies at both doors', async () => {
      const traffic = await here.traffic(10);
      await Bun.sleep(500);
      expect(complaintsOf(await traffic.stop())).toEqual([]);
    });

    test('a second run changes nothing', async () => {
      const { code, text } = await here.install('--with-local-rtpengine');
      expect(text).toContain('is a node already');
      expect(code).toBe(0);
      expect(await nodeIds(here)).toHaveLength(1);
    });

    test('is there again after a boot', async () => {
      await here.machine.reboot();
      await here.ready();
      await here.nodeUp((await nodeIds(here))[0] ?? -1);
      expect(await talk('boot@local')).toEqual([PACKETS, PACKETS]);
    });
  },
);

async function nodeIds(here: Installed): Promise<readonly number[]> {
  const { nodes } = (await here.api('GET', '/v1/nodes')) as { nodes: { id: number }[] };

  return nodes.map(({ id }) => id);
}
