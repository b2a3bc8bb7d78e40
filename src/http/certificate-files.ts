/**
 * The files of the certificate, looked at again and again. A pair that can be used takes the place of the old one, a
 * broken one does not; both are told, and so is an end that comes near.
 */

import type { Store } from '../store/store.ts';
import { type Certificate, CertificateProblem, readCertificate } from '../util/certificate.ts';
import { type Clock, isoTime } from '../util/clock.ts';

/** Paths. Symbolic links are followed at each look, as certbot changes them. */
export interface CertificatePaths {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateParts {
  readonly store: Pick<Store, 'event'>;
  readonly clock: Clock;
}

const LOOK_MS = 10_000;
const DAY_MS = 86_400_000;
/** Whoever renews by a machine does so a month before the end. */
const EXPIRING_MS = 14 * DAY_MS;
/** Larger files hold no certificate. */
const MAX_BYTES = 256 * 1024;

export class CertificateFiles {
  readonly #parts: CertificateParts;
  /** A new pair; an error says why it could not be taken, and the old one stays. */
  readonly #take: (certificate: Certificate) => string | undefined;
  #paths: CertificatePaths;
  #current: Certificate;
  /** Why the files as they are now cannot be used, as it was found at the last look; '' if they can. */
  #fault = '';
  #toldFault = '';
  #warnedAt = -Infinity;
  /** One look after the other. */
  #last: Promise<string | undefined> = Promise.resolve(undefined);
  #stopTimer: () => void = () => undefined;

  constructor(
    paths: CertificatePaths,
    current: Certificate,
    parts: CertificateParts,
    take: (certificate: Certificate) => string | undefined,
  ) {
    this.#paths = paths;
    this.#current = current;
    this.#parts = parts;
    this.#take = take;
  }

  /** Tells of the pair that is in use, and looks from now on. */
  /** UTC ms at which the certificate in use expires. */
  get notAfter(): number {
    return this.#current.notAfter;
  }

  start(): void {
    this.#tell();
    this.#warn();
    this.#stopTimer = this.#parts.clock.every(LOOK_MS, () => void this.#look(false));
  }

  stop(): void {
    this.#stopTimer();
  }

  /** Looks at these files now; says why they cannot be used, if so. */
  reload(paths: CertificatePaths): Promise<string | undefined> {
    this.#paths = paths;

    return this.#look(true);
  }

  /** Resolves when the looks that were begun are over. */
  get settled(): Promise<unknown> {
    return this.#last;
  }

  #look(isAsked: boolean): Promise<string | undefined> {
    this.#last = this.#last.then(() => this.#compare(isAsked));

    return this.#last;
  }

  async #compare(isAsked: boolean): Promise<string | undefined> {
    const read = await readCertificateFiles(this.#paths);
    const fault = typeof read === 'string' ? read : this.#replace(read);
    // The two files are replaced one after the other: what is bad for one look only is not told.
    if (fault !== '' && fault !== this.#toldFault && (isAsked || fault === this.#fault)) {
      this.#toldFault = fault;
      this.#parts.store.event('https.certificate_bad', { reason: fault, in_use: this.#shown() });
    }
    if (fault === '') this.#toldFault = '';
    this.#fault = fault;
    this.#warn();

    return fault === '' ? undefined : fault;
  }

  /** Takes a pair if it is another one; says why it cannot, else ''. */
  #replace(read: Certificate): string {
    if (read.cert === this.#current.cert && read.key === this.#current.key) return '';
    const now = this.#parts.clock.utc();
    if (read.notAfter <= now && this.#current.notAfter > now)
      return `${this.#paths.cert} has expired on ${isoTime(read.notAfter)}`;
    const fault = this.#take(read);
    if (fault !== undefined) return fault;
    this.#current = read;
    this.#warnedAt = -Infinity;
    this.#tell();

    return '';
  }

  #tell(): void {
    this.#parts.store.event('https.certificate_loaded', this.#shown());
  }

  /** Once a day while the end is near, and after it. */
  #warn(): void {
    const now = this.#parts.clock.utc();
    const leftMs = this.#current.notAfter - now;
    if (leftMs >= EXPIRING_MS || this.#parts.clock.monotonic() - this.#warnedAt < DAY_MS) return;
    this.#warnedAt = this.#parts.clock.monotonic();
    this.#parts.store.event('https.certificate_expiring', {
      ...this.#shown(),
      days_left: Math.max(0, Math.floor(leftMs / DAY_MS)),
    });
  }

  #shown(): { subject: string; names: readonly string[]; not_after: string } {
    const { subject, names, notAfter } = this.#current;

    return { subject, names, not_after: isoTime(notAfter) };
  }
}

/** The pair in these files, or why it cannot be used. */
export async function readCertificateFiles({ cert, key }: CertificatePaths): Promise<Certificate | string> {
  const texts: string[] = [];
  for (const path of [cert, key]) {
    try {
      const text = await Bun.file(path)
        .slice(0, MAX_BYTES + 1)
        .text();
      if (text.length > MAX_BYTES) return `${path} has more than ${MAX_BYTES} bytes`;
      texts.push(text);
    } catch (error) {
      return `cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  const [certText = '', keyText = ''] = texts;
  const read = readCertificate(certText, keyText);

  return read instanceof CertificateProblem ? `${read.part === 'cert' ? cert : key} ${read.message}` : read;
}
