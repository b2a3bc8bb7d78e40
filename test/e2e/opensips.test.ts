/** The scripts of docs/opensips, run by a real OpenSIPS between real SIPp endpoints. */

import { startOpensips, whyNoOpensips } from '../lab/opensips.ts';
import { describeSip } from '../suites/sip.ts';

for (const [script, door] of [
  ['opensips.cfg', 'http'],
  ['opensips-ng.cfg', 'ng'],
  ['opensips-rtp-relay.cfg', 'ng'],
  ['opensips-ng.cfg', 'rtpengine'],
] as const) {
  describeSip(
    `OpenSIPS with docs/opensips/${script}`,
    'test/e2e/opensips',
    door,
    (values) => startOpensips(script, door, values),
    whyNoOpensips(),
  );
}
