/** What calls are looked for; it lives in the address of the page, so that a search can be sent to somebody. */

import { useState } from 'preact/hooks';
import { Button } from '../parts/button.tsx';
import { SelectField, TextField } from '../parts/field.tsx';
import type { OverviewSet } from '../resources.ts';
import { go, href } from '../router.ts';
import { t } from './said.ts';
import { isNarrow, type Search, SPANS, type Span, STATES } from './search.ts';

export function CallFilter({
  search,
  sets,
}: {
  readonly search: Search;
  readonly sets: readonly OverviewSet[];
}) {
  const [draft, setDraft] = useState(search);
  const change = (fields: Partial<Search>) => setDraft({ ...draft, ...fields });
  /** Choices count at once, what is typed when it is sent. */
  const choose = (fields: Partial<Search>) => {
    const next = { ...draft, ...fields };
    setDraft(next);
    if (next.began !== 'range') show(next);
  };

  return (
    <search>
      <form
        class="call-filter"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          show(draft);
        }}
      >
        <div class="call-filter-text">
          <TextField
            label={t('search')}
            type="search"
            value={draft.text}
            onInput={(text) => change({ text: text.trim() })}
            isMono
          />
        </div>
        <SelectField
          label={t('state')}
          value={draft.state}
          choices={STATES.map((state) => [state, t(`state_${state}`)])}
          onChange={(state) => choose({ state })}
        />
        <SelectField
          label={t('began')}
          value={draft.began}
          choices={(Object.keys(SPANS) as Span[]).map((span) => [span, t(`began_${span}`)])}
          onChange={(began) => choose({ began, from: '', until: '' })}
        />
        <SelectField
          label={t('set')}
          value={draft.set}
          choices={[
            ['', t('any_set')],
            ...sets.map(({ id, description }): [string, string] => [
              String(id),
              `${id} ${description}`.trim(),
            ]),
            // The list may not be there yet.
            ...(draft.set === '' || sets.some(({ id }) => String(id) === draft.set)
              ? []
              : [[draft.set, draft.set] as [string, string]]),
          ]}
          onChange={(set) => choose({ set })}
        />
        <div class="call-filter-node">
          <TextField
            label={t('node')}
            value={draft.node}
            placeholder={t('any_node')}
            onInput={(node) => change({ node: node.replace(/\D/g, '') })}
          />
        </div>
        {draft.began === 'range' ? (
          <>
            <TextField
              label={t('from')}
              type="datetime-local"
              value={draft.from}
              onInput={(from) => change({ from })}
            />
            <TextField
              label={t('until')}
              type="datetime-local"
              value={draft.until}
              onInput={(until) => change({ until })}
            />
          </>
        ) : null}
        <div class="call-filter-actions">
          <Button type="submit" kind="primary" icon="search">
            {t('filter')}
          </Button>
          {isNarrow(search) || search.state !== 'live' ? (
            <Button kind="quiet" onClick={() => go(href(['calls']))}>
              {t('reset')}
            </Button>
          ) : null}
        </div>
      </form>
    </search>
  );
}

function show(search: Search): void {
  go(searchHref(search));
}

/** The address of the page with this search. */
export function searchHref({ text, state, node, set, began, from, until }: Search): string {
  return href(['calls'], {
    search: text,
    state: state === 'live' ? '' : state,
    node,
    set,
    began: began === 'any' || began === 'range' ? '' : began,
    from,
    until,
  });
}
