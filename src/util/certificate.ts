/** A certificate with its private key: whether the two can be used together, and what people want to know of it. */

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';

/** A pair that can be used, with what may be shown of it. */
export interface Certificate {
  /** PEM: the certificate, and those above it. */
  readonly cert: string;
  /** PEM. Never to be shown or logged. */
  readonly key: string;
  /** The subject in one line, as `CN=rtp.example.org`; may be empty, since names stand in `names` today. */
  readonly subject: string;
  /** DNS names and IP addresses it is for, at most 32 of them. */
  readonly names: readonly string[];
  /** UTC ms; from then on no client takes it. */
  readonly notAfter: number;
}

/** Why a pair cannot be used: which of the two files, and what is wrong with it. */
export class CertificateProblem {
  constructor(
    readonly part: 'cert' | 'key',
    readonly message: string,
  ) {}
}

/** Names that are shown; a certificate may have thousands. */
const MAX_NAMES = 32;
const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Reads a pair of PEM texts. Whether it has expired, and who signed it, is not judged: clients do. */
export function readCertificate(cert: string, key: string): Certificate | CertificateProblem {
  const chain: X509Certificate[] = [];
  for (const [block] of cert.matchAll(BLOCK)) {
    try {
      chain.push(new X509Certificate(block));
    } catch {
      return new CertificateProblem(
        'cert',
        `its ${chain.length === 0 ? 'first' : `${chain.length + 1}th`} certificate cannot be read; write the file anew`,
      );
    }
  }
  const [own] = chain;
  if (own === undefined) {
    return new CertificateProblem(
      'cert',
      'holds no certificate; allowed is PEM, which begins with -----BEGIN CERTIFICATE-----',
    );
  }
  const secret = readKey(key);
  if (secret instanceof CertificateProblem) return secret;
  if (!own.checkPrivateKey(secret)) {
    return new CertificateProblem(
      'key',
      'does not belong to the first certificate of the other file; give the pair that was made together',
    );
  }

  return {
    cert,
    key,
    subject: oneLine(own.subject ?? ''),
    names: namesOf(own.subjectAltName ?? ''),
    notAfter: Date.parse(own.validTo),
  };
}

function readKey(pem: string): KeyObject | CertificateProblem {
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem)) {
    const rule =
      'has a password, and nobody is there to type it; take it off with: openssl pkey -in FILE -out FILE';

    return new CertificateProblem('key', rule);
  }
  try {
    return createPrivateKey(pem);
  } catch {
    return new CertificateProblem(
      'key',
      'holds no private key; allowed is PEM, which begins with -----BEGIN PRIVATE KEY-----',
    );
  }
}

/** `DNS:a.example, IP Address:192.0.2.1` as a list. */
function namesOf(text: string): string[] {
  return text
    .split(', ')
    .map((name) => name.replace(/^(?:DNS|IP Address):/, ''))
    .filter((name) => name !== '')
    .slice(0, MAX_NAMES)
    .map((name) => name.slice(0, 256));
}

function oneLine(subject: string): string {
  return subject
    .split('\n')
    .filter((part) => part !== '')
    .join(', ')
    .slice(0, 512);
}
