import { describe, expect, test } from 'bun:test';
import type { MediaRequest } from '../../../../src/relay/driver.ts';
import { MAX_SESSIONS, type Session, writeMemo } from '../../../../src/relay/rtpproxy/sessions.ts';
import { wire } from '../../../fakes/rtpproxy-client.ts';
import { BOB, done, drive, failed, INSIDE, portsIn, rows, sdpOf } from './driving.ts';

/** What is made of the replies: the SDP, the memo, and failures. */

const TWO = sdpOf({ ports: [4000, 4002] });
const TWO_BOB = sdpOf({ ...BOB, ports: [5000, 5002] });

/** Answers by the number of the stream; undefined is a port as usual. */
const byStream =
  (...replies: (string | ReturnType<typeof wire> | undefined)[]) =>
  (command: string) => {
    const n = Number(/^[UL]\S* .*?;(\d)(?: |$)/.exec(command)?.[1] ?? 0);

    return replies[n - 1];
  };

/** A call with two streams that stands, on ports 30000 to 30006. */
async function standing() {
  const driven = drive();
  const begun = done(await driven.offer({ sdp: TWO }));
  const { memo } = done(await driven.answer({ sdp: TWO_BOB, memo: begun.memo }));
  driven.client.told();
  const again = (change: Partial<MediaRequest> = {}) =>
    driven.offer({ ...INSIDE, sdp: TWO, memo, ...change });
  const byBob = (change: Partial<MediaRequest> = {}) =>
    again({ fromTag: 'B', toTag: 'A', sdp: TWO_BOB, ...change });

  return { ...driven, memo, again, byBob };
}

describe('the SDP', () => {
  test('shows our address, whatever the daemon says, and its port', async () => {
    const { offer } = drive(() => '43000 198.51.100.66');
    const { sdp } = done(await offer());
    expect(sdp).toBe(
      sdpOf().replace('c=IN IP4 10.0.0.5', 'c=IN IP4 203.0.113.9').replace('audio 4000', 'audio 43000'),
    );
  });

  test('shows RTCP where the relay has it: for an answer with rtcp-mux that is the RTP port', async () => {
    const { offer, answer } = drive(() => '43000');
    const sdp = sdpOf({ attributes: ['a=rtcp:4001', 'a=rtcp-mux'] });
    expect(done(await offer({ sdp })).sdp).toContain('\r\na=rtcp:43001\r\n');
    expect(done(await answer({ sdp })).sdp).toContain('\r\na=rtcp:43000\r\n');
  });

  test('shows each stream its own port, whatever the order of the replies', async () => {
    const { client, offer } = drive(byStream('43000', '43002'));
    let first = () => {};
    client.onCommand = (command) =>
      command.includes(';1') ? new Promise<void>((go) => (first = go)) : first();
    expect(portsIn(done(await offer({ sdp: TWO })))).toEqual([43_000, 43_002]);
  });
});

describe('the memo', () => {
  test('grows from an offer to the answer', async () => {
    const { offer, answer } = drive();
    const begun = done(await offer({ sdp: TWO, branch: 'z1' }));
    expect(begun.sessions).toBe(2);
    expect(rows(begun.memo)).toEqual([
      ['z1', 1, 'A', '', 30_000, 0],
      ['z1', 2, 'A', '', 30_002, 0],
    ]);
    const there = done(await answer({ sdp: TWO_BOB, branch: 'z1', memo: begun.memo }));
    expect(rows(there.memo)).toEqual([
      ['z1', 1, 'A', 'B', 30_000, 30_004],
      ['z1', 2, 'A', 'B', 30_002, 30_006],
    ]);
  });

  test('of a delayed offer has the callee for its opener', async () => {
    const { offer, answer } = drive();
    const begun = done(await offer({ fromTag: 'B', toTag: 'A', sdp: sdpOf(BOB) }));
    expect(rows(begun.memo)).toEqual([['', 1, 'B', 'A', 30_000, 0]]);
    const { memo } = done(await answer({ fromTag: 'B', toTag: 'A', memo: begun.memo }));
    expect(rows(memo)).toEqual([['', 1, 'B', 'A', 30_000, 30_002]]);
  });

  test('remembers the last callee of a fork', async () => {
    const { offer, answer } = drive();
    let reply = done(await offer());
    for (const toTag of ['b1', 'b2']) reply = done(await answer({ toTag, memo: reply.memo }));
    expect(rows(reply.memo)).toEqual([['', 1, 'A', 'b2', 30_000, 30_002]]);
  });

  test('has a stream the callee adds under its own tag', async () => {
    const { offer, answer } = drive();
    const begun = done(await offer());
    const there = done(await answer({ sdp: sdpOf(BOB), memo: begun.memo }));
    const more = done(await offer({ ...INSIDE, fromTag: 'B', toTag: 'A', sdp: TWO_BOB, memo: there.memo }));
    expect(more.sessions).toBe(2);
    expect(rows(more.memo)).toContainEqual(['', 2, 'B', 'A', expect.any(Number), 0]);
  });

  test('drops a stream the answer rejects, also if the node does not answer that', async () => {
    const { client, offer, answer } = drive();
    const begun = done(await offer({ sdp: TWO }));
    client.answers = (command) => (command.startsWith('D') ? wire('silent') : undefined);
    const there = done(await answer({ sdp: sdpOf({ ...BOB, ports: [5000, 0] }), memo: begun.memo }));
    expect(there.sessions).toBe(1);
    expect(rows(there.memo)).toEqual([['', 1, 'A', 'B', 30_000, expect.any(Number)]]);
    expect(portsIn(there)[1]).toBe(0);
  });

  test('keeps the callee when the first offer comes again', async () => {
    const { offer, answer } = drive();
    const begun = done(await offer());
    const there = done(await answer({ sdp: sdpOf(BOB), memo: begun.memo }));
    expect(done(await offer({ memo: there.memo })).memo).toBe(there.memo);
  });

  test('that is garbage is begun anew', async () => {
    const { offer } = drive();
    expect(rows(done(await offer({ memo: '{"x":1}' })).memo)).toEqual([['', 1, 'A', '', 30_000, 0]]);
  });

  test('has room for so many streams, those of other branches included', async () => {
    const full: Session[] = Array.from({ length: MAX_SESSIONS }, (_, index) => ({
      branch: `z${index}`,
      n: 1,
      opener: 'A',
      peer: '',
      openerPort: 1,
      peerPort: 0,
    }));
    const { client, offer } = drive();
    expect(failed(await offer({ branch: 'new', memo: writeMemo(full) }))).toMatchObject({
      kind: 'rejected',
      reason: expect.stringContaining(`${MAX_SESSIONS} streams`),
    });
    expect(client.commands).toEqual([]);
    // One it has already, and the last one there is room for.
    expect(done(await offer({ branch: 'z5', memo: writeMemo(full) })).sessions).toBe(MAX_SESSIONS);
    expect(done(await offer({ branch: 'new', memo: writeMemo(full.slice(1)) })).sessions).toBe(MAX_SESSIONS);
  });
});

describe('a call the daemon has forgotten', () => {
  test('is renewed by an offer: the port is another one', async () => {
    const { client, again } = await standing();
    expect(done(await again()).isRenewed).toBeUndefined();
    client.answers = byStream('40000', '40002');
    const reply = done(await again());
    expect(reply.isRenewed).toBe(true);
    expect(portsIn(reply)).toEqual([40_000, 40_002]);
    expect(rows(reply.memo)).toEqual([
      ['', 1, 'A', 'B', 40_000, 30_004],
      ['', 2, 'A', 'B', 40_002, 30_006],
    ]);
  });

  test('is renewed whoever offers, and if it is one stream only', async () => {
    const { client, byBob } = await standing();
    client.answers = byStream('30004', '40002');
    const reply = done(await byBob());
    expect(reply.isRenewed).toBe(true);
    expect(rows(reply.memo)).toEqual([
      ['', 1, 'A', 'B', 30_000, 30_004],
      ['', 2, 'A', 'B', 30_002, 40_002],
    ]);
  });

  test('is not renewed by the ports it had, shown to either party', async () => {
    const { client, byBob } = await standing();
    client.answers = byStream('30004', '30006');
    expect(done(await byBob())).not.toHaveProperty('isRenewed');
  });

  test('is not renewed by a first offer that is repeated: nobody has its ports yet', async () => {
    const { client, offer } = drive();
    const { memo } = done(await offer());
    client.answers = () => '40000';
    expect(done(await offer({ memo }))).not.toHaveProperty('isRenewed');
  });

  test('is not renewed by a callee who offers before its answer: it has shown no port yet', async () => {
    const { offer } = drive();
    const { memo } = done(await offer());
    const early = done(await offer({ fromTag: 'B', toTag: 'A', sdp: sdpOf(BOB), isNew: false, memo }));
    expect(early).not.toHaveProperty('isRenewed');
    expect(rows(early.memo)).toEqual([['', 1, 'A', 'B', 30_000, 30_002]]);
  });

  test('is not renewed by a stream that is new or on again', async () => {
    const { client, again, answer } = await standing();
    const asked = done(await again({ sdp: sdpOf({ ports: [4000, 0] }) }));
    const less = done(await answer({ sdp: sdpOf({ ...BOB, ports: [5000, 0] }), memo: asked.memo }));
    client.answers = byStream('30000', '40002');
    expect(done(await again({ memo: less.memo }))).not.toHaveProperty('isRenewed');
  });

  test('is lost by an answer', async () => {
    const { client, answer, memo } = await standing();
    client.answers = () => '0';
    expect(failed(await answer({ memo })).kind).toBe('unknown-call');
    client.answers = byStream('0', '0 0.0.0.0');
    expect(failed(await answer({ sdp: TWO_BOB, memo })).kind).toBe('unknown-call');
  });

  test('is not lost while another stream may live, whatever becomes of the answer', async () => {
    const { client, answer, memo } = await standing();
    client.answers = byStream(wire('silent'), '0');
    expect(failed(await answer({ sdp: TWO_BOB, memo })).kind).toBe('silent');
    client.answers = byStream('E71', '0');
    expect(failed(await answer({ sdp: TWO_BOB, memo })).kind).toBe('rejected');
  });

  test('is not lost with one stream of it: an answer shows that as off', async () => {
    const { client, answer, memo } = await standing();
    client.answers = byStream(undefined, '0 0.0.0.0');
    const reply = done(await answer({ sdp: TWO_BOB, memo }));
    expect(portsIn(reply)).toEqual([expect.any(Number), 0]);
    expect(portsIn(reply)[0]).toBeGreaterThan(0);
    expect(reply.sessions).toBe(1);
    expect(rows(reply.memo)).toEqual([(rows(memo) as unknown[])[0]]);
  });
});

describe('a new call', () => {
  test.each(['E11', 'E31', 'E35', 'E36', 'E72', 'E81', 'E98', 'E99'])(
    'may go elsewhere after %s',
    async (code) => {
      const { offer } = drive(() => code);
      const failure = failed(await offer());
      expect(failure.kind).toBe('refused');
      expect(failure.reason).toStartWith(`${code}: `);
      expect(failure.left).toBeUndefined();
    },
  );

  test.each(['E1', 'E5', 'E13', 'E37'])('would fail elsewhere as with %s', async (code) => {
    const { offer } = drive(() => code);
    expect(failed(await offer()).kind).toBe('rejected');
  });

  test('that has one stream of two says so, for whoever cleans up', async () => {
    const { offer } = drive(byStream('43000', 'E72'));
    const failure = failed(await offer({ sdp: TWO, branch: 'z1' }));
    expect(failure.kind).toBe('refused');
    expect(rows(failure.left)).toEqual([['z1', 1, 'A', '', 43_000, 0]]);
  });

  test.each(['silent', 'unreachable', 'garbled'] as const)(
    'may have a stream whose port is not known: %s',
    async (kind) => {
      const { offer } = drive(byStream('43000', wire(kind)));
      const failure = failed(await offer({ sdp: TWO }));
      expect(failure.kind).toBe(kind);
      expect(rows(failure.left)).toEqual([
        ['', 1, 'A', '', 43_000, 0],
        ['', 2, 'A', '', 0, 0],
      ]);
    },
  );

  test.each(['busy', 'too-large'] as const)('has nothing that was not sent: %s', async (kind) => {
    const { offer } = drive(() => wire(kind));
    const failure = failed(await offer({ sdp: TWO }));
    expect(failure.kind).toBe(kind);
    expect(failure.left).toBeUndefined();
  });

  test('is judged by what is certain, whichever stream it was', async () => {
    for (const replies of [
      ['E99', wire('silent')],
      [wire('silent'), 'E99'],
    ]) {
      const { offer } = drive(byStream(...replies));
      const failure = failed(await offer({ sdp: TWO }));
      expect(failure).toMatchObject({ kind: 'refused', reason: expect.stringContaining('E99') });
      expect(rows(failure.left)).toHaveLength(1);
    }
  });

  test('on another branch leaves the sessions of the first one, and its own', async () => {
    const { client, offer } = drive();
    const { memo } = done(await offer({ branch: 'z1' }));
    client.answers = () => wire('silent');
    expect(rows(failed(await offer({ branch: 'z2', memo })).left)).toEqual([
      ['z1', 1, 'A', '', 30_000, 0],
      ['z2', 1, 'A', '', 0, 0],
    ]);
  });
});

describe('a call that lives', () => {
  test.each(['E36', 'E71', 'E72', 'E98', 'E99'])('goes on although it gets %s', async (code) => {
    const { client, again, answer, memo } = await standing();
    client.answers = () => code;
    for (const reply of [await again(), await answer({ memo })]) {
      expect(failed(reply).kind).toBe('rejected');
      expect(failed(reply).left).toBeUndefined();
    }
  });

  test('may have a new stream although the other one failed', async () => {
    const { client, again, memo } = await standing();
    client.answers = byStream(undefined, 'E72', '43000');
    const failure = failed(await again({ sdp: sdpOf({ ports: [4000, 4002, 4004] }) }));
    expect(failure.kind).toBe('rejected');
    expect(rows(failure.left)).toEqual([
      ...(rows(memo) as unknown[][]).toReversed(),
      ['', 3, 'A', 'B', 43_000, 0],
    ]);
  });

  test('has nothing new after a failed answer', async () => {
    const { client, answer, memo } = await standing();
    client.answers = byStream(undefined, wire('silent'));
    const failure = failed(await answer({ sdp: TWO_BOB, memo }));
    expect(failure.kind).toBe('silent');
    expect(failure.left).toBeUndefined();
  });
});

describe('the address the daemon names', () => {
  const SIDES = { interfaces: ['10.0.0.1', '198.51.100.1'] as const };

  test.each(['43000', '43000 198.51.100.1', '43000 203.0.113.9', '43000 media.example.org'])(
    'is not ours to judge: %s',
    async (reply) => {
      const { offer } = drive(() => reply);
      expect(portsIn(done(await offer(SIDES)))).toEqual([43_000]);
    },
  );

  test('fails the request where it faces the other side', async () => {
    const { client, offer, answer } = drive(() => '43000 10.0.0.1');
    const failure = failed(await offer(SIDES));
    expect(failure).toMatchObject({ kind: 'refused', reason: expect.stringContaining('10.0.0.1') });
    expect(failed(await offer({ ...SIDES, isNew: false, toTag: 'B' })).kind).toBe('rejected');
    client.answers = () => '43000 198.51.100.1';
    expect(failed(await answer({ interfaces: ['198.51.100.1', '10.0.0.1'] })).kind).toBe('rejected');
  });

  test('may be that of both sides', async () => {
    const { offer } = drive(() => '43000 10.0.0.1');
    expect(portsIn(done(await offer({ interfaces: ['10.0.0.1', '10.0.0.1'] })))).toEqual([43_000]);
  });

  test('fails the request where it is of the other family: nobody could send there', async () => {
    const { client, offer, answer } = drive(() => '43000 ::1 6');
    expect(failed(await offer()).reason).toContain('::1');
    // As seen: U with l[v6] for an IPv6 callee, who answers with an IPv4 address to hold.
    expect(failed(await answer({ sdp: sdpOf({ ...BOB, at: '0.0.0.0' }) })).kind).toBe('rejected');
    client.answers = () => '43000 192.0.2.1';
    expect(failed(await offer({ address: '2001:db8::9', family: 'IP6' })).kind).toBe('refused');
    client.answers = () => '43000 2001:db8::1 6';
    expect(portsIn(done(await offer({ address: '2001:db8::9', family: 'IP6' })))).toEqual([43_000]);
  });

  test('does not make the daemon forget the port: whoever cleans up is told', async () => {
    const { offer } = drive(() => '43000 ::1 6');
    expect(rows(failed(await offer({ branch: 'z1' })).left)).toEqual([['z1', 1, 'A', '', 0, 0]]);
  });

  test('asked for is named where the daemon could not open a port there', async () => {
    const { offer } = drive(() => 'E72');
    expect(failed(await offer(SIDES)).reason).toContain('198.51.100.1');
    expect(failed(await offer()).reason).not.toContain('203.0.113.9');
  });
});
