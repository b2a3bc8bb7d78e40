/** The certificate and its key on the disk: what a renewal does, and what a broken one does not. */

import { describe, expect, test } from 'bun:test';
import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CertificateFiles, readCertificateFiles } from '../../../src/http/certificate-files.ts';
import type { Certificate } from '../../../src/util/certificate.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { inDirectory } from '../../fakes/store.ts';
import { certificate, type Pair } from './certificates.ts';

const DAY_MS = 86_400_000;
const OLD = certificate({ name: 'old.example' });
const NEW = certificate({ name: 'new.example' });
const SHORT = certificate({ name: 'short.example', days: 3 });

interface Bench {
  readonly clock: FakeClock;
  readonly paths: { readonly cert: string; readonly key: string };
  readonly files: CertificateFiles;
  readonly taken: Certificate[];
  readonly events: { readonly kind: string; readonly [detail: string]: unknown }[];
  put(pair: Partial<Pair>): void;
  /** The next look, and all it sets off. */
  look(): Promise<void>;
}

/** Files on a disk, looked at by a fake clock that has today's date. */
async function withFiles(pair: Pair, run: (bench: Bench) => Promise<void>): Promise<void> {
  await inDirectory(async (folder) => {
    const clock = new FakeClock();
    clock.utcStep = Date.now() - clock.utc();
    const paths = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    const put = ({ cert, key }: Partial<Pair>): void => {
      if (cert !== undefined) writeFileSync(paths.cert, cert);
      if (key !== undefined) writeFileSync(paths.key, key);
    };
    put(pair);
    const first = await readCertificateFiles(paths);
    if (typeof first === 'string') throw new Error(first);
    const taken: Certificate[] = [];
    const events: Bench['events'] = [];
    const store = { event: (kind: string, fields = {}) => void events.push({ kind, ...fields }) };
    const files = new CertificateFiles(paths, first, { store, clock }, (next) => {
      taken.push(next);

      return undefined;
    });
    files.start();
    const look = async (): Promise<void> => {
      await clock.advance(10_000);
      // The read is real.
      await files.settled;
    };
    await run({ clock, paths, files, taken, events, put, look });
    files.stop();
  });
}

describe('a new pair', () => {
  test('is taken at the next look, and told with what people want to know', async () => {
    await withFiles(OLD, async ({ put, look, taken, events }) => {
      await look();
      expect([taken.length, events.map(({ kind }) => kind)]).toEqual([0, ['https.certificate_loaded']]);
      put(NEW);
      await look();
      expect(taken.map(({ cert }) => cert)).toEqual([NEW.cert]);
      expect(events.at(-1)).toMatchObject({
        kind: 'https.certificate_loaded',
        subject: 'CN=new.example',
        names: ['new.example', 'localhost', '127.0.0.1'],
        not_after: expect.stringMatching(/^20\d\d-/),
      });
    });
  });

  test('is taken where a symbolic link leads elsewhere, as certbot does it', async () => {
    await withFiles(OLD, async ({ paths, look, taken }) => {
      for (const part of ['cert', 'key'] as const) {
        writeFileSync(`${paths[part]}.2`, NEW[part]);
        symlinkSync(`${paths[part]}.2`, `${paths[part]}.link`);
        renameSync(`${paths[part]}.link`, paths[part]);
      }
      await look();
      expect(taken.map(({ cert }) => cert)).toEqual([NEW.cert]);
    });
  });

  test('whose files change one after the other is taken when both are there, and nothing bad is told', async () => {
    await withFiles(OLD, async ({ put, look, taken, events }) => {
      put({ cert: NEW.cert });
      await look();
      expect([taken.length, events.length]).toEqual([0, 1]);
      put({ key: NEW.key });
      await look();
      expect(taken.map(({ key }) => key)).toEqual([NEW.key]);
      expect(events.map(({ kind }) => kind)).not.toContain('https.certificate_bad');
    });
  });

  test('is taken at once when somebody asks, also from other files', async () => {
    await withFiles(OLD, async ({ files, paths, taken }) => {
      const others = { cert: `${paths.cert}.other`, key: `${paths.key}.other` };
      writeFileSync(others.cert, NEW.cert);
      writeFileSync(others.key, NEW.key);
      expect(await files.reload(others)).toBeUndefined();
      expect(taken.map(({ cert }) => cert)).toEqual([NEW.cert]);
    });
  });
});

describe('a bad pair', () => {
  test.each([
    ['a key of another certificate', { key: NEW.key }, /key\.pem does not belong to the first certificate/],
    ['no certificate', { cert: 'nothing' }, /cert\.pem holds no certificate; allowed is PEM/],
    ['half a certificate', { cert: OLD.cert.slice(0, 300) }, /cert\.pem holds no certificate/],
    ['a broken one', { cert: OLD.cert.replace(/[A-Za-z0-9+/]{8}\n/, 'AAAAAAAA\n') }, /certificate|belong/],
    ['no key', { key: '' }, /key\.pem holds no private key/],
    ['a file without an end', { cert: 'x'.repeat(300_000) }, /has more than 262144 bytes/],
  ])('is not taken (%s), and told once, at the second look', async (_, pair, reason) => {
    await withFiles(OLD, async ({ put, look, taken, events }) => {
      put(pair);
      await look();
      expect(events).toHaveLength(1);
      for (let i = 0; i < 5; i++) await look();
      expect(events.slice(1)).toEqual([
        {
          kind: 'https.certificate_bad',
          reason: expect.stringMatching(reason),
          in_use: expect.objectContaining({ subject: 'CN=old.example' }),
        },
      ]);
      expect(taken).toEqual([]);
      expect(JSON.stringify(events)).not.toContain('PRIVATE KEY-----\n');
    });
  });

  test('is told at once when somebody asked, and to him', async () => {
    await withFiles(OLD, async ({ put, files, paths, events }) => {
      put({ key: NEW.key });
      expect(await files.reload(paths)).toContain('does not belong');
      expect(events.at(-1)?.kind).toBe('https.certificate_bad');
    });
  });

  test('is told again when it comes again', async () => {
    await withFiles(OLD, async ({ put, files, paths, events }) => {
      for (const key of [NEW.key, OLD.key, NEW.key]) {
        put({ key });
        await files.reload(paths);
      }
      expect(events.filter(({ kind }) => kind === 'https.certificate_bad')).toHaveLength(2);
    });
  });

  test('may be a file that is gone', async () => {
    await withFiles(OLD, async ({ paths, look, events, put, taken }) => {
      rmSync(paths.key);
      await look();
      await look();
      expect(events.at(-1)).toMatchObject({
        kind: 'https.certificate_bad',
        reason: expect.stringContaining('cannot read'),
      });
      put(NEW);
      await look();
      expect(taken).toHaveLength(1);
    });
  });

  test('is one that has expired, as long as the old one has not', async () => {
    await withFiles(OLD, async ({ clock, put, files, paths, taken }) => {
      clock.utcStep += 4 * DAY_MS;
      put(SHORT);
      expect(await files.reload(paths)).toContain('has expired on');
      expect(taken).toEqual([]);
      clock.utcStep += 100 * DAY_MS;
      expect(await files.reload(paths)).toBeUndefined();
      expect(taken.map(({ cert }) => cert)).toEqual([SHORT.cert]);
    });
  });
});

describe('the end of a certificate', () => {
  test('is told once a day from 14 days before on, and after it', async () => {
    await withFiles(OLD, async ({ clock, events, files, paths }) => {
      const warnings = () => events.filter(({ kind }) => kind === 'https.certificate_expiring');
      clock.utcStep += 75 * DAY_MS;
      await files.reload(paths);
      expect(warnings()).toEqual([]);
      clock.utcStep += 2 * DAY_MS;
      await files.reload(paths);
      await files.reload(paths);
      expect(warnings()).toMatchObject([{ subject: 'CN=old.example', days_left: 12 }]);
      // The timers of a day are not worth waiting for: the clock alone goes on.
      clock.now += DAY_MS;
      await files.reload(paths);
      expect(warnings().at(-1)).toMatchObject({ days_left: 11 });
      clock.now += 20 * DAY_MS;
      await files.reload(paths);
      expect(warnings().map(({ days_left: days }) => days)).toEqual([12, 11, 0]);
    });
  });

  test('is told at the start, and at once of a new one that is as short', async () => {
    await withFiles(SHORT, async ({ events, put, files, paths }) => {
      expect(events.map(({ kind }) => kind)).toEqual([
        'https.certificate_loaded',
        'https.certificate_expiring',
      ]);
      put(certificate({ name: 'other.example', days: 3 }));
      await files.reload(paths);
      expect(events.at(-1)).toMatchObject({
        kind: 'https.certificate_expiring',
        subject: 'CN=other.example',
      });
    });
  });
});
