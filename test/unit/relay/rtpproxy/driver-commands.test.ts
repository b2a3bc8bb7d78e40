import { describe, expect, test } from 'bun:test';
import { type NgDict, RelayFailure } from '../../../../src/relay/driver.ts';
import { MAX_WORD } from '../../../../src/relay/rtpproxy/commands.ts';
import { answered, BOB, done, drive, INSIDE, NOTICES, offered, portsIn, sdpOf } from './driving.ts';

/** What is said to the daemon, word for word. */

const V6 = { at: '2001:db8::5', ports: [4000] };

describe('an offer', () => {
  test('of a new call names the offerer alone', async () => {
    expect(await offered()).toEqual(['Uc0,8 c1 10.0.0.5 4000 A;1']);
  });

  test('inside a dialog names both, the offerer first, whoever it is', async () => {
    expect(await offered(INSIDE)).toEqual(['Uc0,8 c1 10.0.0.5 4000 A;1 B;1']);
    expect(await offered({ fromTag: 'B', toTag: 'A', sdp: sdpOf(BOB) })).toEqual([
      'Uc0,8 c1 192.0.2.77 5000 B;1 A;1',
    ]);
  });

  test('has a command for each stream, all at once', async () => {
    expect(await offered({ sdp: sdpOf({ ports: [4000, 4002] }) })).toEqual([
      'Uc0,8 c1 10.0.0.5 4000 A;1',
      'Uc0,8 c1 10.0.0.5 4002 A;2',
    ]);
  });

  test('counts streams that are off or not relayed', async () => {
    const sdp = `${sdpOf({ ports: [0] })}m=message 2855 TCP/MSRP *\r\nm=audio 4004 RTP/AVP 8\r\n`;
    expect(await offered({ sdp })).toEqual(['Uc8 c1 10.0.0.5 4004 A;3']);
  });

  test('gives no payload types where there are none', async () => {
    const sdp = sdpOf().replace('m=audio 4000 RTP/AVP 0 8', 'm=image 4000 udptl t38');
    expect(await offered({ sdp })).toEqual(['U c1 10.0.0.5 4000 A;1']);
  });

  test('on a branch of its own keeps it apart', async () => {
    expect(await offered({ branch: 'z9hG4bK7' })).toEqual(['Uc0,8 c1;z9hG4bK7 10.0.0.5 4000 A;1']);
  });

  test('holds by the unspecified address', async () => {
    expect(await offered({ sdp: sdpOf({ at: '0.0.0.0' }) })).toEqual(['Uc0,8 c1 0.0.0.0 4000 A;1']);
  });

  test('names the address the client declares for the phone, where it says so', async () => {
    const extra: NgDict = { flags: ['SIP-source-address'], 'received-from': ['IP4', '198.51.100.4'] };
    expect(await offered({ extra })).toEqual(['Uc0,8 c1 198.51.100.4 4000 A;1']);
    // Who holds still holds.
    expect(await offered({ extra, sdp: sdpOf({ at: '0.0.0.0' }) })).toEqual(['Uc0,8 c1 0.0.0.0 4000 A;1']);
    expect(await offered({ extra: { ...extra, flags: [] } })).toEqual(['Uc0,8 c1 10.0.0.5 4000 A;1']);
  });

  test.each([
    ['asymmetric', 'a'],
    ['symmetric', 's'],
  ])('passes the flag %s on', async (flag, modifier) => {
    expect(await offered({ extra: { flags: [flag] } })).toEqual([`U${modifier}c0,8 c1 10.0.0.5 4000 A;1`]);
    expect(await answered({ extra: { flags: [flag] } })).toEqual([
      `L${modifier}c0,8 c1 192.0.2.77 5000 A;1 B;1`,
    ]);
  });
});

describe('an answer', () => {
  test('names the offerer first, too', async () => {
    expect(await answered()).toEqual(['Lc0,8 c1 192.0.2.77 5000 A;1 B;1']);
    expect(await answered({ fromTag: 'B', toTag: 'A', sdp: sdpOf() })).toEqual([
      'Lc0,8 c1 10.0.0.5 4000 B;1 A;1',
    ]);
  });

  test('to a delayed offer: the callee is the offerer', async () => {
    const { client, offer, answer } = drive();
    const { memo } = done(await offer({ fromTag: 'B', toTag: 'A', sdp: sdpOf(BOB) }));
    await answer({ fromTag: 'B', toTag: 'A', sdp: sdpOf(), memo });
    expect(client.commands).toEqual(['Uc0,8 c1 192.0.2.77 5000 B;1 A;1', 'Lc0,8 c1 10.0.0.5 4000 B;1 A;1']);
  });

  test('gives back what it rejects, and has no command for it', async () => {
    const { client, offer, answer } = drive();
    const { memo } = done(await offer({ sdp: sdpOf({ ports: [4000, 4002, 4004] }) }));
    client.told();
    await answer({ sdp: sdpOf({ ...BOB, ports: [5000, 0, 5004] }), memo });
    expect(client.told()).toEqual([
      'Lc0,8 c1 192.0.2.77 5000 A;1 B;1',
      'Lc0,8 c1 192.0.2.77 5004 A;3 B;3',
      'D c1 A;2',
    ]);
  });

  test('that comes early keeps what it rejects: another callee may take it', async () => {
    const { client, offer, answer } = drive();
    const begun = done(await offer({ sdp: sdpOf({ ports: [4000, 4002] }) }));
    client.told();
    const sdp = sdpOf({ ...BOB, ports: [5000, 0] });
    const early = done(await answer({ toTag: 'b1', sdp, isFinal: false, memo: begun.memo }));
    expect(client.told()).toEqual(['Lc0,8 c1 192.0.2.77 5000 A;1 b1;1']);
    expect(early.sessions).toBe(2);
    const both = sdpOf({ at: '192.0.2.78', ports: [6000, 6002] });
    const final = done(await answer({ toTag: 'b2', sdp: both, isFinal: true, memo: early.memo }));
    expect(client.told()).toEqual(['Lc0,8 c1 192.0.2.78 6000 A;1 b2;1', 'Lc0,8 c1 192.0.2.78 6002 A;2 b2;2']);
    expect(portsIn(final)).not.toContain(0);
    // Or the first one picks up after all.
    done(await answer({ toTag: 'b1', sdp, isFinal: true, memo: early.memo }));
    expect(client.told()).toContain('D c1 A;2');
  });

  test('of another callee to the same offer takes no part in a stream that is gone', async () => {
    const { client, offer, answer } = drive((command) => (command.includes(';2 ') ? '0' : undefined));
    const two = done(await offer({ sdp: sdpOf({ ports: [4000, 4002] }) }));
    const first = done(
      await answer({ toTag: 'b1', sdp: sdpOf({ ...BOB, ports: [5000, 0] }), memo: two.memo }),
    );
    client.told();
    const sdp = sdpOf({ at: '192.0.2.78', ports: [6000, 6002] });
    const second = done(await answer({ toTag: 'b2', sdp, memo: first.memo }));
    expect(client.told()).toEqual(['Lc0,8 c1 192.0.2.78 6000 A;1 b2;1']);
    expect(portsIn(second)[1]).toBe(0);
    expect(portsIn(second)[0]).toBeGreaterThan(0);
  });

  test('is asked for all streams where nothing is remembered', async () => {
    expect(await answered({ memo: null, sdp: sdpOf({ ...BOB, ports: [5000, 5002] }) })).toHaveLength(2);
  });
});

describe('inside a dialog', () => {
  test('a request with a branch of its own stays on the branch of the dialog', async () => {
    const { client, offer, answer } = drive();
    const begun = done(await offer({ branch: 'z1' }));
    const { memo } = done(await answer({ branch: 'z1', sdp: sdpOf(BOB), memo: begun.memo }));
    client.told();
    await offer({ ...INSIDE, branch: 'own1', memo });
    await offer({ fromTag: 'B', toTag: 'A', branch: 'own2', sdp: sdpOf(BOB), isNew: false, memo });
    await answer({ fromTag: 'B', toTag: 'A', branch: 'own2', memo });
    expect(client.told()).toEqual([
      'Uc0,8 c1;z1 10.0.0.5 4000 A;1 B;1',
      'Uc0,8 c1;z1 192.0.2.77 5000 B;1 A;1',
      'Lc0,8 c1;z1 10.0.0.5 4000 B;1 A;1',
    ]);
  });

  test('branches of one call each go on by themselves', async () => {
    const { client, offer, answer } = drive();
    const one = done(await offer({ branch: 'z1' }));
    const two = done(await offer({ branch: 'z2', memo: one.memo }));
    const three = done(await answer({ toTag: 'b2', branch: 'z2', sdp: sdpOf(BOB), memo: two.memo }));
    const four = done(await answer({ toTag: 'b1', branch: 'z1', sdp: sdpOf(BOB), memo: three.memo }));
    client.told();
    await offer({ ...INSIDE, toTag: 'b2', branch: 'own', memo: four.memo });
    expect(client.told()).toEqual(['Uc0,8 c1;z2 10.0.0.5 4000 A;1 b2;1']);
    expect(four.sessions).toBe(2);
  });

  test('an UPDATE of a callee that answered before another one stays in the session', async () => {
    const { client, offer, answer } = drive();
    let reply = done(await offer({ branch: 'z1' }));
    for (const toTag of ['b1', 'b2'])
      reply = done(await answer({ toTag, branch: 'z1', sdp: sdpOf(BOB), memo: reply.memo }));
    client.told();
    const updated = done(
      await offer({
        fromTag: 'b1',
        toTag: 'A',
        branch: 'own',
        sdp: sdpOf(BOB),
        isNew: false,
        memo: reply.memo,
      }),
    );
    expect(client.told()).toEqual(['Uc0,8 c1;z1 192.0.2.77 5000 b1;1 A;1']);
    expect(updated.sessions).toBe(1);
  });

  test('a stream that ends gives its ports back with the answer: the offer may yet be refused', async () => {
    const { client, offer, answer } = drive();
    const begun = done(await offer({ sdp: sdpOf({ ports: [4000, 4002] }) }));
    const there = done(await answer({ sdp: sdpOf({ ...BOB, ports: [5000, 5002] }), memo: begun.memo }));
    client.told();
    const byBob = { fromTag: 'B', toTag: 'A', isNew: false };
    const asked = done(await offer({ ...byBob, sdp: sdpOf({ ...BOB, ports: [5000, 0] }), memo: there.memo }));
    expect(client.told()).toEqual(['Uc0,8 c1 192.0.2.77 5000 B;1 A;1']);
    expect(asked.sessions).toBe(2);
    const less = done(await answer({ ...byBob, sdp: sdpOf({ ports: [4000, 0] }), memo: asked.memo }));
    expect(client.told()).toEqual(['Lc0,8 c1 10.0.0.5 4000 B;1 A;1', 'D c1 A;2 B;2']);
    expect(less.sessions).toBe(1);
    // It is off for good: nothing is told twice.
    await answer({ ...byBob, sdp: sdpOf({ ports: [4000, 0] }), memo: less.memo });
    expect(client.told()).toEqual(['Lc0,8 c1 10.0.0.5 4000 B;1 A;1']);
  });

  test('a stream that becomes one of TCP ends, too', async () => {
    const { client, offer, answer } = drive();
    const begun = done(await offer({ sdp: sdpOf({ ports: [4000, 4002] }) }));
    client.told();
    const sdp = `${sdpOf(BOB)}m=message 2855 TCP/MSRP *\r\n`;
    await answer({ sdp, memo: begun.memo });
    expect(client.told()).toEqual(['Lc0,8 c1 192.0.2.77 5000 A;1 B;1', 'D c1 A;2']);
  });
});

describe('local addresses', () => {
  test('are left to the daemon where both parties have one family', async () => {
    expect(await offered({ sdp: sdpOf(V6), address: '2001:db8::9', family: 'IP6' })).toEqual([
      'U6c0,8 c1 2001:db8::5 4000 A;1',
    ]);
  });

  test('are named where they have not: IPv4 to IPv6', async () => {
    expect(await offered({ address: '2001:db8::9', family: 'IP6' })).toEqual([
      'Uc0,8l[2001:db8::9] c1 10.0.0.5 4000 A;1',
    ]);
    expect(await answered({ sdp: sdpOf({ ...V6, ports: [5000] }) })).toEqual([
      'L6c0,8l203.0.113.9 c1 2001:db8::5 5000 A;1 B;1',
    ]);
  });

  test('are named where they have not: IPv6 to IPv4', async () => {
    expect(await offered({ sdp: sdpOf(V6) })).toEqual(['U6c0,8l203.0.113.9 c1 2001:db8::5 4000 A;1']);
    expect(await answered({ address: '2001:db8::9', family: 'IP6' })).toEqual([
      'Lc0,8l[2001:db8::9] c1 192.0.2.77 5000 A;1 B;1',
    ]);
  });

  test.each<[[string, string], string, string]>([
    [['internal', 'external'], 'ie', ''],
    [['external', 'internal'], 'ei', ''],
    [['internal', 'internal'], 'ii', ''],
    [['external', 'external'], 'ee', ''],
    [['10.0.0.1', '198.51.100.1'], 'l198.51.100.1', 'l198.51.100.1'],
    [['fd00::1', '2001:db8::1'], 'l[2001:db8::1]', 'l[2001:db8::1]'],
    [['priv', 'pub'], 'l{pub}', 'l{pub}'],
  ])('face the reader: %j', async (interfaces, inOffer, inAnswer) => {
    const isBridge = inOffer.length === 2;
    const symmetry = isBridge ? 's' : '';
    expect(await offered({ interfaces })).toEqual([`U${symmetry}c0,8${inOffer} c1 10.0.0.5 4000 A;1`]);
    expect(await answered({ interfaces })).toEqual([
      `L${symmetry}c0,8${inAnswer} c1 192.0.2.77 5000 A;1 B;1`,
    ]);
  });

  test('of a bridging daemon can be left asymmetric', async () => {
    const extra: NgDict = { flags: ['asymmetric'] };
    expect(await offered({ interfaces: ['internal', 'external'], extra })).toEqual([
      'Uac0,8ie c1 10.0.0.5 4000 A;1',
    ]);
  });

  test('of a bridging daemon are named where the families differ', async () => {
    const interfaces = ['internal', 'external'] as const;
    expect(await offered({ interfaces, address: '2001:db8::9', family: 'IP6' })).toEqual([
      'Uc0,8l[2001:db8::9] c1 10.0.0.5 4000 A;1',
    ]);
  });
});

describe('the words of the notice of the end', () => {
  test('go with every U and no L', async () => {
    const { client, offer, answer } = drive(undefined, NOTICES);
    const { memo } = done(await offer({ callId: 'c1@h' }));
    await answer({ callId: 'c1@h', sdp: sdpOf(BOB), memo });
    await offer({ ...INSIDE, callId: 'c1@h', memo });
    expect(client.told()).toEqual([
      'VF 20081224',
      `Uc0,8 c1@h 10.0.0.5 4000 A;1 ${NOTICES} c1%40h`,
      'Lc0,8 c1@h 192.0.2.77 5000 A;1 B;1',
      `Uc0,8 c1@h 10.0.0.5 4000 A;1 B;1 ${NOTICES} c1%40h`,
    ]);
  });

  test('are the Call-ID without the branch', async () => {
    const { client, offer } = drive(undefined, NOTICES);
    await offer({ branch: 'z1' });
    expect(client.commands[1]).toBe(`Uc0,8 c1;z1 10.0.0.5 4000 A;1 ${NOTICES} c1`);
  });

  test('are left out where the daemon has no -n', async () => {
    const { client, offer } = drive((command) => (command.startsWith('VF') ? '0' : undefined), NOTICES);
    await offer();
    await offer();
    expect(client.told()).toEqual([
      'VF 20081224',
      'Uc0,8 c1 10.0.0.5 4000 A;1',
      'Uc0,8 c1 10.0.0.5 4000 A;1',
    ]);
  });

  test('are not asked about where nobody wants them', async () => {
    expect(await offered()).toHaveLength(1);
  });

  test('are left out, at once and for a minute, once the daemon refuses them', async () => {
    const { clock, client, offer } = drive(
      (command) => (command.includes(NOTICES) ? 'E75' : undefined),
      NOTICES,
    );
    const reply = done(await offer());
    expect(portsIn(reply)).toEqual([30_000]);
    expect(client.told()).toEqual([
      'VF 20081224',
      `Uc0,8 c1 10.0.0.5 4000 A;1 ${NOTICES} c1`,
      'Uc0,8 c1 10.0.0.5 4000 A;1',
    ]);
    await clock.advance(59_999);
    await offer();
    expect(client.told()).toEqual(['Uc0,8 c1 10.0.0.5 4000 A;1']);
    await clock.advance(1);
    await offer();
    expect(client.told()[0]).toBe('VF 20081224');
  });

  test('refused where none were sent are a failure like any other', async () => {
    const { client, offer } = drive(() => 'E75');
    expect(await offer()).toMatchObject({ kind: 'rejected' });
    expect(client.commands).toHaveLength(1);
  });
});

describe('nothing is said', () => {
  test('of words the daemon would take for something else', async () => {
    const bad = ['', 'a b', 'a\nb', 'a\r', '\0', '&&', 'x'.repeat(MAX_WORD + 1)];
    for (const field of ['callId', 'fromTag', 'toTag', 'branch'] as const) {
      for (const text of field === 'callId' || field === 'branch' ? bad : [...bad, 'a;1']) {
        const { client, offer, answer } = drive();
        for (const ask of [offer, answer]) {
          const reply = await ask({ [field]: text });
          expect(reply).toMatchObject({ kind: 'rejected' });
        }
        expect(client.commands).toEqual([]);
      }
    }
  });

  test('where media would have to change; the failure names that in the client’s words', async () => {
    const { client, offer } = drive();
    expect(await offer({ extra: { ICE: 'force' } })).toEqual(
      new RelayFailure('rejected', 'an rtpproxy cannot do "ICE=force"; that takes an rtpengine'),
    );
    expect(client.commands).toEqual([]);
  });

  test('of the transport in an answer: it goes back to that of its own side', async () => {
    const { offer, answer } = drive();
    const extra: NgDict = { 'transport-protocol': 'RTP/SAVP' };
    expect(await offer({ extra })).toMatchObject({ kind: 'rejected' });
    done(await answer({ extra, sdp: sdpOf(BOB) }));
  });

  test('about an SDP that cannot be relayed', async () => {
    const { client, offer } = drive();
    expect(
      await offer({ sdp: sdpOf({ at: '10.0.0.5' }).replace('c=IN IP4 10.0.0.5', 'c=IN IP4 host') }),
    ).toMatchObject({ kind: 'bad-sdp', reason: expect.stringContaining('host') });
    expect(client.commands).toEqual([]);
  });

  test('about an SDP without live streams, and it passes', async () => {
    const { client, offer, answer } = drive();
    const reply = done(await offer({ sdp: sdpOf({ ports: [0] }) }));
    expect(reply).toEqual({ sdp: sdpOf({ ports: [0] }), memo: '[]', sessions: 0 });
    done(await answer({ sdp: sdpOf({ ...BOB, ports: [0] }), memo: reply.memo }));
    expect(client.commands).toEqual([]);
  });
});
