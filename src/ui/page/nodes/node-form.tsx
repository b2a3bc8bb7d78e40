/** The form of a node: fields, check, what will change, and saving, which a failed check makes a second thought. */

import { useState } from 'preact/hooks';
import { ApiFailure, send } from '../api.ts';
import { reader } from '../i18n.ts';
import { Button } from '../parts/button.tsx';
import { CheckField } from '../parts/field.tsx';
import { Panel } from '../parts/layout.tsx';
import { FailureNotice, toast } from '../parts/notice.tsx';
import type { NodeResource, SetResource } from '../resources.ts';
import { go, href } from '../router.ts';
import { mayChange } from '../session.ts';
import { nodes } from '../words/nodes.ts';
import { CheckReport } from './check-report.tsx';
import type { ReportResource } from './checks.ts';
import {
  bodyOf,
  type Change,
  changesBetween,
  type Draft,
  type Field,
  fieldOf,
  type NodeBody,
} from './draft.ts';
import { NodeFields } from './node-fields.tsx';

const t = reader(nodes);

export interface NodeFormProps {
  /** Of the node that is changed; missing for a new one. */
  readonly id?: number;
  /** What the form begins with. */
  readonly start: Draft;
  readonly sides: readonly string[];
  readonly sets: readonly SetResource[];
  /** Where Cancel leads. */
  readonly back: string;
}

/** A check, and the body it was for. */
interface Checked {
  readonly of: string;
  readonly report: ReportResource;
}

export function NodeForm({ id, start, sides, sets, back }: NodeFormProps) {
  const [draft, setDraft] = useState(start);
  const [hasMedia, setMedia] = useState(true);
  const [failure, setFailure] = useState<ApiFailure | undefined>(undefined);
  const [wrong, setWrong] = useState<{ readonly field: Field; readonly text: string } | undefined>(undefined);
  const [checked, setChecked] = useState<Checked | undefined>(undefined);
  const [work, setWork] = useState<'check' | 'save' | undefined>(undefined);
  const body = bodyOf(draft);
  const first = bodyOf(start);
  const isComplete = !('field' in body);
  const key = JSON.stringify(body);
  const isStale = checked !== undefined && checked.of !== key;
  const isFailed = checked?.report.result === 'failed' && !isStale;
  const isGood = checked !== undefined && !isStale && !isFailed;
  const changes = id === undefined || 'field' in first || !isComplete ? [] : changesBetween(first, body);

  const forbidden = mayChange.value ? undefined : t('only_admin');
  const idle = id !== undefined && isComplete && changes.length === 0 ? t('nothing_to_save') : undefined;

  const change = (fields: Partial<Draft>) => {
    setDraft((before) => ({ ...before, ...fields }));
    setFailure(undefined);
    setWrong(undefined);
  };
  /** Errors stand at their field where they name one. */
  const refuse = (problem: ApiFailure) => {
    const field = problem.status === 400 || problem.status === 409 ? fieldOf(problem.message) : undefined;
    if (field === undefined) setFailure(problem);
    else setWrong({ field, text: problem.message });
  };
  /** The body, if the numbers are numbers. */
  const complete = (): NodeBody | undefined => {
    setFailure(undefined);
    setWrong(undefined);
    if (!('field' in body)) return body;
    const text = body.value === '' ? t('wanted') : t('not_a_number', { value: body.value });
    setWrong({ field: body.field, text });

    return undefined;
  };
  const check = async (): Promise<ReportResource | undefined> => {
    const now = complete();
    if (now === undefined) return undefined;
    setWork('check');
    const request = { ...now, ...(id === undefined ? {} : { id }), media: hasMedia };
    const report = await send<ReportResource>('POST', '/v1/nodes/check', request);
    setWork(undefined);
    if (report instanceof ApiFailure) {
      setChecked(undefined);
      refuse(report);

      return undefined;
    }
    setChecked({ of: JSON.stringify(now), report });

    return report;
  };
  const save = async (): Promise<void> => {
    const now = complete();
    if (now === undefined) return;
    setWork('save');
    const saved = await (id === undefined
      ? send<NodeResource>('POST', '/v1/nodes', now)
      : send<NodeResource>('PUT', `/v1/nodes/${id}`, now));
    setWork(undefined);
    if (saved instanceof ApiFailure) {
      refuse(saved);

      return;
    }
    toast(t(id === undefined ? 'added' : 'saved', { id: String(saved.id) }));
    go(href(['nodes', saved.id]));
  };
  /** What nobody has checked is checked first; what failed is saved by a button of its own only. */
  const submit = async (): Promise<void> => {
    if (forbidden !== undefined || idle !== undefined || work !== undefined || isFailed) return;
    const report = isGood ? checked.report : await check();
    if (report !== undefined && report.result !== 'failed') await save();
  };

  return (
    <form
      class="nf"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <NodeFields
        draft={draft}
        errors={wrong === undefined ? {} : { [wrong.field]: wrong.text }}
        sides={sides}
        sets={sets}
        isNew={id === undefined}
        onChange={change}
      />
      <div class="nf-side">
        <Panel
          title={t('check_panel')}
          tools={
            <Button
              icon="check"
              isBusy={work === 'check'}
              disabled={forbidden}
              onClick={() => {
                check();
              }}
            >
              {work === 'check' ? t('checking') : t('check')}
            </Button>
          }
        >
          <div class="nf-body">
            {checked === undefined ? <p class="muted small">{t('check_lead')}</p> : null}
            <CheckField
              label={t('with_media')}
              hint={t('with_media_hint')}
              isChecked={hasMedia}
              onChange={setMedia}
            />
            {checked === undefined ? null : <CheckReport report={checked.report} isStale={isStale} />}
          </div>
        </Panel>
        {id === undefined ? null : <Changes changes={changes} />}
        <FailureNotice failure={failure} />
        <div class="nf-actions">
          <a class="button plain" href={back}>
            {t('cancel')}
          </a>
          {isFailed ? (
            <Button
              kind="danger"
              icon="warn"
              isBusy={work === 'save'}
              disabled={forbidden ?? idle}
              title={t('anyway_hint')}
              onClick={() => {
                save();
              }}
            >
              {t(id === undefined ? 'add_anyway' : 'save_anyway')}
            </Button>
          ) : (
            <Button type="submit" kind="primary" isBusy={work !== undefined} disabled={forbidden ?? idle}>
              {t(id === undefined ? (isGood ? 'add_now' : 'save_new') : isGood ? 'save_now' : 'save_changed')}
            </Button>
          )}
        </div>
        {isFailed ? <p class="muted small nf-anyway">{t('anyway_hint')}</p> : null}
      </div>
    </form>
  );
}

function Changes({ changes }: { readonly changes: readonly Change[] }) {
  return (
    <Panel title={t('changes')}>
      <div class="nf-body">
        {changes.length === 0 ? (
          <p class="muted small">{t('no_changes')}</p>
        ) : (
          <dl class="nf-changes">
            {changes.map(({ field, from, to }) => (
              <div key={field}>
                <dt>{t(`field_${field}`)}</dt>
                <dd>
                  <del>{from === '' ? t('nothing') : from}</del>
                  <ins>{to === '' ? t('nothing') : to}</ins>
                </dd>
              </div>
            ))}
          </dl>
        )}
      </div>
    </Panel>
  );
}
