/** The course of a value as a small line; the value itself stands beside it. */

const MIN_POINTS = 3;

export function Sparkline({
  values,
  tone = 'calm',
}: {
  readonly values: readonly (number | null)[];
  readonly tone?: 'calm' | 'bad';
}) {
  const known = values.filter((value) => value !== null);
  // Two points are no course.
  if (known.length < MIN_POINTS) return null;
  const highest = Math.max(...known, 0) || 1;
  const width = Math.max(1, values.length - 1);
  // A line is broken where nothing is known.
  let isDrawing = false;
  const path = values
    .map((value, at) => {
      if (value === null) {
        isDrawing = false;

        return '';
      }
      const step = `${isDrawing ? 'L' : 'M'}${at} ${(23 - (value / highest) * 22).toFixed(2)}`;
      isDrawing = true;

      return step;
    })
    .join('');

  return (
    <svg
      class={`sparkline ${tone}`}
      viewBox={`0 0 ${width} 24`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <path d={path} />
    </svg>
  );
}
