/** Icons, drawn for a grid of 16 by 16 in the colour of the text. They say nothing to a screen reader: words beside them do. */

const PATHS = {
  up: 'M3.5 8.5l3 3 6-7',
  down: 'M4 4l8 8M12 4l-8 8',
  warn: 'M8 2.5l6 11H2zM8 6.5v3.2M8 11.7v.1',
  falling: 'M8 3v9M4.5 8.5L8 12l3.5-3.5',
  rising: 'M8 13V4M4.5 7.5L8 4l3.5 3.5',
  unknown: 'M5.8 6a2.2 2.2 0 1 1 3.4 1.9C8.4 8.4 8 8.8 8 9.6M8 12.2v.1',
  ejected: 'M3 12.5h10M8 3.5l4.5 6h-9z',
  drain: 'M3 3.5h10l-3.8 4.7v4.3l-2.4 1.2V8.2z',
  maint: 'M13.2 4.7a3.4 3.4 0 0 1-4.5 4L4.5 13 3 11.5l4.3-4.2a3.4 3.4 0 0 1 4-4.5L9.2 4.9l.4 1.5 1.5.4z',
  play: 'M5 3.5l7.5 4.5L5 12.5z',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  check: 'M8 2.5a5.5 5.5 0 1 0 5.5 5.5M13.5 3.5L8 9 6 7',
  edit: 'M3 13l.6-2.8 7.3-7.3 2.2 2.2-7.3 7.3zM9.5 4.3l2.2 2.2',
  remove: 'M3 4.5h10M6.5 4.5v-2h3v2M4.5 4.5l.6 9h5.8l.6-9',
  plus: 'M8 3v10M3 8h10',
  search: 'M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zM10.3 10.3L14 14',
  close: 'M4 4l8 8M12 4l-8 8',
  left: 'M10 3L5 8l5 5',
  right: 'M6 3l5 5-5 5',
  sortUp: 'M4.5 9.5L8 6l3.5 3.5',
  sortDown: 'M4.5 6.5L8 10l3.5-3.5',
  sun: 'M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6zM8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9',
  moon: 'M13 9.7A5.5 5.5 0 0 1 6.3 3a5.5 5.5 0 1 0 6.7 6.7z',
  language:
    'M2 8h12M8 2c2 2 2.6 4 2.6 6S10 12 8 14M8 2C6 4 5.4 6 5.4 8S6 12 8 14M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2z',
  logout: 'M6.5 2.5h-3.5v11h3.5M10 5l3 3-3 3M13 8H6',
  info: 'M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2zM8 7.2v4M8 4.8v.1',
  lock: 'M4 7.5h8v6H4zM5.5 7.5V5.2a2.5 2.5 0 0 1 5 0v2.3',
  copy: 'M5.5 5.5h7v8h-7zM3.5 10.5v-8h7',
  expand: 'M4 6l4 4 4-4',
  table: 'M2.5 3h11v10h-11zM2.5 6.5h11M2.5 9.8h11M6.5 6.5V13',
  dot: 'M8 6.5a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3z',
  refresh: 'M13 5.5A5.3 5.3 0 1 0 13.3 9M13.3 2.5v3.2h-3.2',
} as const;
export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { readonly name: IconName; readonly size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
