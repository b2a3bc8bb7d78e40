/** The scripts of docs/kamailio as they stand, run by a real Kamailio between real SIPp endpoints. */

import { startKamailio, whyNoKamailio } from '../lab/kamailio.ts';
import { describeSip } from '../suites/sip.ts';

for (const [script, door] of [
  ['kamailio.cfg', 'http'],
  ['kamailio-ng.cfg', 'ng'],
  ['kamailio-ng.cfg', 'rtpengine'],
] as const) {
  describeSip(
    `Kamailio with docs/kamailio/${script}`,
    'test/e2e/kamailio',
    door,
    (values) => startKamailio(script, values),
    whyNoKamailio(),
  );
}
