/** The settings of `https.`: an address, and a certificate with its key that can be used together. */

import { CertificateProblem, readCertificate } from '../util/certificate.ts';
import { unreadable } from './files.ts';
import { type ListenAddress, showListen } from './readers.ts';
import { TABLE } from './rows.ts';
import type { Settings } from './settings.ts';
import type { Taken } from './taken.ts';

const { listen: LISTEN, cert: CERT, key: KEY } = TABLE.https;

/** Checks what was given; the files are read too, so that a broken one is told before the start. */
export function httpsOf(
  listen: ListenAddress | null,
  cert: string,
  key: string,
  taken: Taken,
  readText: (path: string) => string,
): Settings['https'] {
  if (listen === null) {
    // A bad address is on the list already, and is no reason to blame the files.
    if (!taken.problems.some((problem) => problem.key === LISTEN.key)) {
      for (const [row, file] of [
        [CERT, cert],
        [KEY, key],
      ] as const)
        if (file !== '')
          taken.report(row.key, `is given, but ${LISTEN.key} is not: nothing is served with TLS`);
    }

    return null;
  }
  if (cert === '' || key === '') {
    const missing = [cert === '' ? CERT.key : '', key === '' ? KEY.key : ''].filter((name) => name !== '');
    const rule = `is ${showListen(listen)}, but ${missing.join(' and ')} ${missing.length === 1 ? 'names' : 'name'} no file; TLS needs a certificate and its private key`;
    taken.report(LISTEN.key, rule);

    return { listen, cert, key };
  }
  const read = (row: { readonly key: string }, path: string): string | undefined => {
    try {
      return readText(path);
    } catch (error) {
      taken.report(row.key, unreadable(path, error));

      return undefined;
    }
  };
  const certText = read(CERT, cert);
  const keyText = read(KEY, key);
  if (certText === undefined || keyText === undefined) return { listen, cert, key };
  const pair = readCertificate(certText, keyText);
  if (pair instanceof CertificateProblem) {
    const isCert = pair.part === 'cert';
    taken.report(isCert ? CERT.key : KEY.key, `${isCert ? cert : key} ${pair.message}`);
  }

  return { listen, cert, key };
}
