/** An OpenAPI document as a plain page for people: no script, one file. */

interface Schema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}
interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: Schema;
}
interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: {
    readonly description?: string;
    readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
  };
  readonly responses?: Readonly<Record<string, { readonly description?: string }>>;
}
interface Document {
  readonly info?: { readonly title?: string; readonly version?: string; readonly description?: string };
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** @param document an OpenAPI 3.1 document; parts it lacks are left out */
export function openapiPage(document: Document): string {
  const operations = Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const groups = Map.groupBy(operations, ({ operation }) => operation.tags?.[0] ?? 'other');
  const title = `${document.info?.title ?? ''} ${document.info?.version ?? ''}`;
  const links = [...groups.keys()]
    .map((tag) => `<a href="#${escapeHtml(tag)}">${escapeHtml(tag)}</a>`)
    .join(' · ');
  const sections = [...groups].map(
    ([tag, list]) =>
      `<section id="${escapeHtml(tag)}"><h2>${escapeHtml(tag)}</h2>${list.map(operationHtml).join('')}</section>`,
  );

  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}: API</title><style>${STYLE}</style></head>
<body><main><h1>${escapeHtml(title)}</h1><p>${markup(document.info?.description ?? '')} As JSON: <a href="/openapi.json">/openapi.json</a>.</p>
<nav>${links}</nav>${sections.join('')}</main></body></html>`;
}

function operationHtml({
  path,
  method,
  operation,
}: {
  path: string;
  method: string;
  operation: Operation;
}): string {
  const body = Object.values(operation.requestBody?.content ?? {})[0]?.schema;
  const fields = body === undefined ? [] : fieldRows(body, '');
  const parameters = (operation.parameters ?? []).map((parameter) =>
    row(
      parameter.name,
      `${parameter.in}, ${typeOf(parameter.schema)}`,
      parameter.required === true,
      parameter.description,
    ),
  );
  const responses = Object.entries(operation.responses ?? {}).map(
    ([status, { description = '' }]) =>
      `<tr><td><code>${escapeHtml(status)}</code></td><td>${markup(description)}</td></tr>`,
  );
  const bodyNote = operation.requestBody?.description;
  const roles = (operation.security ?? []).flatMap((way) => Object.values(way).flat());

  return `<details><summary><b class="${method.toLowerCase()}">${method}</b> <code>${escapeHtml(path)}</code> <span>${markup(operation.summary ?? '')}</span></summary>
<p>${roles.length === 0 ? 'Open to all.' : `Role: ${roles.map((role) => `<code>${escapeHtml(role)}</code>`).join(', ')}.`}</p>
${operation.description ? `<p>${markup(operation.description)}</p>` : ''}
${parameters.length > 0 ? `<h3>Parameters</h3><table>${parameters.join('')}</table>` : ''}
${bodyNote || fields.length > 0 ? `<h3>Body</h3>${bodyNote ? `<p>${markup(bodyNote)}</p>` : ''}${fields.length > 0 ? `<table>${fields.join('')}</table>` : ''}` : ''}
${responses.length > 0 ? `<h3>Answers</h3><table>${responses.join('')}</table>` : ''}</details>`;
}

function fieldRows(schema: Schema, prefix: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const full = `${prefix}${name}`;
    const inner = field.items?.properties === undefined ? [] : fieldRows(field.items, `${full}[].`);
    const fallback = field.default === undefined ? '' : ` Default \`${JSON.stringify(field.default)}\`.`;

    return [
      row(
        full,
        typeOf(field),
        schema.required?.includes(name) === true,
        `${field.description ?? ''}${fallback}`,
      ),
      ...inner,
    ];
  });
}

function row(name: string, type: string, isRequired: boolean, description = ''): string {
  return `<tr><td><code>${escapeHtml(name)}</code>${isRequired ? ' <i>required</i>' : ''}</td><td>${escapeHtml(type)}</td><td>${markup(description)}</td></tr>`;
}

function typeOf(schema: Schema | undefined): string {
  if (schema === undefined) return '';
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(typeOf))].join(' or ');

  return [schema.type ?? ''].flat().join(' or ');
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** Text with `code` in backquotes. */
function markup(text: string): string {
  return escapeHtml(text).replace(/`([^`]*)`/g, '<code>$1</code>');
}

const STYLE = `
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;margin:0;padding:1rem}
main{max-width:60rem;margin:auto}
nav{margin:1rem 0}
h2{margin:2rem 0 .5rem;text-transform:capitalize}
h3{font-size:1rem;margin:1rem 0 .25rem}
details{border:1px solid #8886;border-radius:.4rem;margin:.4rem 0;padding:.4rem .8rem}
summary{cursor:pointer}
summary span{opacity:.75}
summary b{display:inline-block;min-width:4.5rem}
table{border-collapse:collapse;width:100%;display:block;overflow-x:auto}
td{border-top:1px solid #8884;padding:.3rem .8rem .3rem 0;vertical-align:top}
code{font-family:ui-monospace,monospace;font-size:.92em}
`;
