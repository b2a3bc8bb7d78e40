/** docs/kamailio/kamailio-ng.cfg, to which the appliance is an rtpengine. */

import { describeDoor } from '../suites/door.ts';

describeDoor('ng');
