/** Doors that are open only if the settings name them: the API with TLS, and the socket on which rtpproxies tell of calls they ended. */

import type { Notices } from './calls/notices.ts';
import type { Settings } from './config/settings.ts';
import type { Fleet } from './fleet/fleet.ts';
import { tellersAt } from './fleet/nodes-at.ts';
import type { Guard } from './http/guard.ts';
import { type HttpsServer, listenHttps } from './http/https.ts';
import type { Peers } from './http/peers.ts';
import type { HttpApp, ListenProblem } from './http/server.ts';
import { type NoticeProblem, NoticeServer } from './relay/rtpproxy/notice-server.ts';
import type { Store } from './store/store.ts';
import type { Clock } from './util/clock.ts';

/** Opens the API with TLS; null if nobody wants it. */
export async function startHttps(
  { https }: Settings,
  app: HttpApp,
  { peers, guard, ...parts }: { peers: Peers; guard: Guard; store: Store; clock: Clock },
): Promise<HttpsServer | ListenProblem | null> {
  if (https === null) return null;
  const onNames = (names: readonly string[]): void => guard.certify(names);

  return listenHttps(app, { ...https.listen, paths: https, peers, onNames }, parts);
}

/** Listens for what rtpproxies tell; null if none is to tell anything. */
export async function startNoticeServer(
  { rtpproxy: { noticeListen } }: Settings,
  { fleet, notices, clock }: { fleet: Fleet; notices: Notices; clock: Clock },
): Promise<NoticeServer | NoticeProblem | null> {
  if (noticeListen === null) return null;
  const server = new NoticeServer({
    place: noticeListen,
    tellersAt: (sender) => tellersAt(fleet, sender),
    onNotice: (callId, tellers) => notices.hear({ callId }, tellers, 'rtpproxy'),
    clock,
  });

  return (await server.start()) ?? server;
}
