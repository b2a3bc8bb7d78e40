/** `#/nodes/new` and `#/nodes/ID/edit`: describing a node, with a check before it is saved. */

import { useFetch } from '../api.ts';
import { reader } from '../i18n.ts';
import { Empty, PageHead, Skeleton } from '../parts/layout.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import type { NodePage, NodeResource, SetResource } from '../resources.ts';
import { href, place } from '../router.ts';
import { nodes } from '../words/nodes.ts';
import { draftOf, emptyDraft } from './draft.ts';
import { NodeForm } from './node-form.tsx';

const t = reader(nodes);

/** Nodes whose sides are offered: the names are the same in the whole fleet. */
const SIDES_FROM = 50;

export function NodeFormPage({ id }: { readonly id?: string }) {
  const node = useFetch<NodeResource>(id === undefined ? null : `/v1/nodes/${encodeURIComponent(id)}`);
  const sets = useFetch<{ sets: readonly SetResource[] }>('/v1/sets');
  const others = useFetch<NodePage>(`/v1/nodes?limit=${SIDES_FROM}`);
  const sides = new Set(['inner', 'outer']);
  for (const { media_addresses: addresses } of others.data?.nodes ?? [])
    for (const { side } of addresses) sides.add(side);
  const back =
    id === undefined
      ? { href: href([]), text: t('overview') }
      : { href: href(['nodes', id]), text: t('node', { id }) };

  return (
    <>
      <PageHead title={id === undefined ? t('add_title') : t('edit_title', { id })} back={back} />
      {id === undefined ? (
        <NodeForm
          start={emptyDraft(place.value.query.get('set') ?? '0')}
          sides={[...sides]}
          sets={sets.data?.sets ?? []}
          back={back.href}
        />
      ) : node.data !== undefined ? (
        <NodeForm
          id={node.data.id}
          start={draftOf(node.data)}
          sides={[...sides]}
          sets={sets.data?.sets ?? []}
          back={back.href}
        />
      ) : node.failure === undefined ? (
        <Skeleton lines={10} />
      ) : node.failure.status === 404 ? (
        <Empty title={node.failure.message} />
      ) : (
        <FailureNotice failure={node.failure} onRetry={node.reload} />
      )}
    </>
  );
}
