import { describe, expect, test } from 'bun:test';
import { metricsRoutes } from '../../../src/http/metrics.ts';
import { makeCluster, phoneSdp } from '../../fakes/cluster.ts';
import { metricParts } from '../../fakes/metrics.ts';
import { admins, makeApi } from './api.ts';

describe('GET /metrics', () => {
  test('is the text of Prometheus, unless the client wants OpenMetrics', async () => {
    const { ask } = makeApi();
    const text = await ask('GET', '/metrics');
    expect([text.status, text.headers.get('content-type')]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
    ]);
    expect(await text.text()).not.toContain('# EOF');
    const open = await ask('GET', '/metrics', {
      headers: { accept: 'application/openmetrics-text; version=1.0.0,text/plain;q=0.5' },
    });
    expect(open.headers.get('content-type')).toBe(
      'application/openmetrics-text; version=1.0.0; charset=utf-8',
    );
    expect(await open.text()).toEndWith('\n# EOF\n');
  });

  test('tells of requests as they were answered, those nobody could read included', async () => {
    const { ask, post } = makeApi();
    await post('/v1/media/offer?call-id=c1&from-tag=A&dir=out', phoneSdp('10.9.9.9'));
    await post('/v1/media/offer?call-id=c1', phoneSdp('10.9.9.9'));
    await post('/v1/media/auto?call-id=c1&from-tag=A&method=OPTIONS');
    const lines = (await (await ask('GET', '/metrics')).text()).split('\n');
    expect(lines.filter((line) => line.startsWith('rtp_cluster_http_media_answers_total'))).toEqual([
      'rtp_cluster_http_media_answers_total{operation="offer",code="ok"} 1',
      'rtp_cluster_http_media_answers_total{operation="offer",code="RTPC_BAD_PARAMETER"} 1',
      'rtp_cluster_http_media_answers_total{operation="auto",code="nothing"} 1',
    ]);
    expect(lines.filter((line) => line.startsWith('rtp_cluster_requests_total'))).toEqual([
      'rtp_cluster_requests_total{door="http",operation="offer",code="ok"} 1',
    ]);
  });

  test('counts who was refused', async () => {
    const { ask } = makeApi({ guard: { tokens: admins('correct-horse-battery') } });
    const refused = await ask('GET', '/metrics', { headers: { authorization: 'Bearer wrong' } });
    expect(refused.status).toBe(401);
    const told = await ask('GET', '/metrics', { headers: { authorization: 'Bearer correct-horse-battery' } });
    expect(await told.text()).toContain('\nrtp_cluster_http_wrong_tokens_total 1\n');
  });

  test('is written once for all who ask at the same time, and anew for who comes later', async () => {
    let reads = 0;
    const live = {
      get size() {
        return ++reads;
      },
    };
    const app = metricsRoutes(metricParts(makeCluster(), { live }));
    const ask = async (): Promise<string> => {
      const text = await (await app.handle(new Request('http://127.0.0.1/metrics'))).text();

      return text.match(/^rtp_cluster_live_streams (.*)$/m)?.[1] ?? '';
    };
    expect(await Promise.all(Array.from({ length: 20 }, ask))).toEqual(Array(20).fill('1'));
    expect(await ask()).toBe('2');
  });
});
