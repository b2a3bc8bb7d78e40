/** docs/kamailio/kamailio.cfg, which asks the appliance by HTTP. */

import { describeDoor } from '../suites/door.ts';

describeDoor('http');
