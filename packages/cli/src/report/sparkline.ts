// A curve in one line of text.

const BARS = "▁▂▃▄▅▆▇█";

/** At most `width` columns; values that share a column are averaged. "" for fewer than two values. */
export function sparkline(values: readonly number[], width: number): string {
  if (values.length < 2) return "";
  const columns = Math.min(width, values.length);
  const means = Array.from({ length: columns }, (_, column) => {
    const first = Math.floor((column * values.length) / columns);
    const end = Math.floor(((column + 1) * values.length) / columns);
    const part = values.slice(first, Math.max(first + 1, end));
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
  const low = Math.min(...means);
  const range = Math.max(...means) - low;
  return means
    .map((mean) => {
      const level = range > 0 ? Math.round(((mean - low) / range) * (BARS.length - 1)) : 0;
      return BARS[level] ?? "";
    })
    .join("");
}

/** A measured number where there is little room. */
export const shortNumber = (value: number): string => String(Number(value.toPrecision(4)));
